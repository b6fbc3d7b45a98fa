// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import NetworkModel
import Synchronization

/// The tag of a VLAN: its number, and the protocol (802.1Q or 802.1ad).
struct VLANTag: Hashable, Sendable, CustomStringConvertible {
    var number: UInt16
    /// 802.1ad, the tag of service providers.
    var isService: Bool

    var description: String { "\(number)\(isService ? " (802.1ad)" : "")" }

    /// All possible tags; 4095 is reserved.
    static let all = [false, true].flatMap { isService in (0...UInt16(4094)).map { VLANTag(number: $0, isService: isService) } }

    /// ETH_P_8021Q and ETH_P_8021AD (linux/if_ether.h), in the order of the wire.
    fileprivate var wireProtocol: UInt16 { (isService ? 0x88a8 : 0x8100 as UInt16).bigEndian }
}

/// Searches for VLANs of any namespace that are stacked on an interface. They survive its moves, and send and receive over it, but the
/// kernel lists them only in their own namespace.
///
/// The search requests each VLAN with an MTU above the interface's: the kernel answers EEXIST if the VLAN exists, and EINVAL otherwise
/// (net/8021q/vlan_netlink.c, vlan_newlink, which looks up the tag first). The 8190 requests take some 0.1 s for each interface, so that
/// a thread sends them, and only if the kernel has the module 8021q loaded.
final class VLANSearch {
    enum Verdict: Hashable, Sendable {
        case none
        case found([VLANTag])
        /// The search has not ended yet.
        case pending
    }

    private struct Running {
        let indices: Set<Int32>
        /// Nil while the thread runs. Interfaces without an answer of the kernel are missing.
        let outcome: Outcome
        /// Becomes readable when the thread ends.
        let end: Descriptor
    }

    private final class Outcome: Sendable {
        let tags = Mutex<[Int32: [VLANTag]]?>(nil)
    }

    private var running: [Running] = []
    /// Found VLANs, by the interface's number.
    private var known: [Int32: [VLANTag]] = [:]
    private let probe: UpperProbe

    init(_ probe: UpperProbe) { self.probe = probe }

    /// True if the kernel has loaded the module 8021q; a request for a VLAN would load it.
    static var isNeeded: Bool { Files.exists("/proc/net/vlan") }

    /// False for interfaces that cannot have VLANs, and for those with the largest possible MTU.
    static func canAsk(_ link: Link, mtu: UInt32) -> Bool { link.type == 1 && !link.isLoopback && mtu < UInt32(UInt16.max) }

    /// A descriptor for each running thread, which becomes readable when the thread ends.
    var descriptors: [Descriptor] {
        collect()
        return running.map(\.end)
    }

    /// Searches for VLANs on interfaces of the calling thread's namespace. A final verdict is returned once; the next call starts another
    /// search.
    ///
    /// - Parameter waits: true to wait for the end of the search.
    func verdicts(_ indices: [Int32], _ socket: NetlinkSocket, waits: Bool) throws(NetlinkError) -> [Verdict] {
        collect()
        let anew = Set(indices).subtracting(known.keys).subtracting(running.flatMap(\.indices))
        if waits {
            for index in anew { known[index] = try Self.tags(VLANTag.all, on: index, probe, socket) }
        } else if !anew.isEmpty {
            do throws(SystemError) { try start(anew) } catch { throw NetlinkError("start the thread of the VLAN search", error) }
        }
        var verdicts: [Verdict] = []
        for index in indices {
            guard let tags = known[index] else {
                verdicts.append(.pending)
                continue
            }
            // After the interface has left the pod, no process can add a VLAN, but found VLANs may have ended.
            known[index] = tags.isEmpty ? [] : try Self.tags(tags, on: index, probe, socket)
            if let left = known[index], !left.isEmpty {
                verdicts.append(.found(left))
            } else {
                known[index] = nil
                verdicts.append(.none)
            }
        }
        return verdicts
    }

    private func collect() {
        running.removeAll { search in
            guard let tags = search.outcome.tags.withLock({ $0 }) else { return false }
            for index in search.indices { known[index] = tags[index] }
            return true
        }
    }

    private func start(_ indices: Set<Int32>) throws(SystemError) {
        let (own, its) = try UnixSocket.pair()
        let outcome = Outcome()
        let probe = probe
        try KernelThread.start {
            var found: [Int32: [VLANTag]] = [:]
            if let socket = try? NetlinkSocket() {
                for index in indices.sorted() { found[index] = try? Self.tags(VLANTag.all, on: index, probe, socket) }
            }
            outcome.tags.withLock { $0 = found }
            withExtendedLifetime(its) {}
        }
        running.append(Running(indices: indices, outcome: outcome, end: own))
    }

    /// Returns the tags that are taken on the interface.
    private static func tags(
        _ tags: [VLANTag], on index: Int32, _ probe: UpperProbe, _ socket: NetlinkSocket
    ) throws(NetlinkError) -> [VLANTag] {
        let requests = tags.map { probe.vlanRequest($0.number, $0.wireProtocol, on: index) }
        return try socket.execute(all: requests).filter { $0.error.code == EEXIST }.map { tags[$0.index] }
    }
}
