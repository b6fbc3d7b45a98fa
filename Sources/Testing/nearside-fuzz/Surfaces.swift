// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import Glibc
import Journal
import Linux
import NRI
import Netlink
import NetworkModel
import Primitives
import ResourceAPI
import Topology

extension Surface {
    /// A datagram of rtnetlink: every decoder reads every message, including messages of other types.
    static let netlink = Surface(name: "netlink", limit: 1 << 13) { bytes in
        for message in Message.list(bytes[...]) ?? [] {
            _ = Link(message)
            _ = LinkSettings(message)
            _ = InterfaceAddress(message)
            _ = Route(message)
            _ = NextHop(message)
            _ = Rule(message)
            _ = Neighbour(message)
            _ = QueueingDiscipline(message)
            _ = VirtualFunction.list(message)
            _ = Acknowledgement(message)
        }
    }

    /// The bytes that a container runtime sends over the NRI socket: the mux, ttrpc and the messages of both dialects.
    static let session = Surface(name: "session", limit: 1 << 13) { bytes in
        var session = PluginSession()
        _ = session.register(name: "nearside", index: "10")
        for half in [bytes[..<(bytes.count / 2)], bytes[(bytes.count / 2)...]] {
            guard let outputs = try? session.receive(half) else { return }
            for case .event(_, let token) in outputs { _ = session.answer(token, .failure("refused")) }
        }
    }

    /// A claim from the API server, and a user's parameters.
    static let claim = Surface(name: "claim", limit: 1 << 13) { bytes in
        if let claim = try? ResourceClaim(json: bytes) {
            for config in claim.status?.allocation?.devices.config ?? [] {
                if let opaque = config.opaque { check(opaque.parameters) }
            }
        }
        check(bytes)
    }

    private static func check(_ parameters: [UInt8]) {
        do throws(InvalidConfig) { _ = try NetworkConfig(parameters: parameters) } catch {
            precondition(error.description.utf8.count <= 4096, "an error has \(error.description.utf8.count) bytes")
        }
    }

    /// A vendor's topology file.
    static let topology = Surface(name: "topology", limit: 1 << 13) { bytes in
        do throws(InputError) { _ = try Hint(nccl: bytes, source: "file") } catch {
            precondition(error.description.utf8.count <= 4096, "an error has \(error.description.utf8.count) bytes")
        }
    }

    /// A file of the journal, read as a plan by `nearside-nri` and as a state by `nearside-node`. Accepted values are written and read
    /// again.
    static let journal = Surface(name: "journal", limit: 1 << 13) { bytes in
        let folder = "/dev/shm/nearside-fuzz-\(getpid())"
        let uid = "0f1e2d3c-aaaa-bbbb-cccc-0123456789ab"
        let writer = JournalFolder("\(folder)/node", states: "\(folder)/nri", for: .node)
        let reader = JournalFolder("\(folder)/node", states: "\(folder)/nri", for: .injector)
        try? writer.make()
        try? reader.make()
        try? Files.write("\(writer.plansFolder)/\(uid).json", bytes)
        try? Files.write("\(writer.statesFolder)/\(uid).json", bytes)
        if let plan = try? reader.plan(uid) {
            _ = try? writer.write(plan)
            precondition((try? reader.plan(uid)) == plan, "a plan that was accepted does not survive writing and reading")
        }
        if let state = try? writer.state(uid) {
            try? reader.write(state)
            precondition((try? writer.state(uid)) == state, "a state that was accepted does not survive writing and reading")
        }
        _ = writer.plans()
        _ = writer.states()
    }
}
