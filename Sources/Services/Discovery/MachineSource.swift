// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Hardware
import Linux
import NetworkModel
package import Primitives

/// The source of the machine for an inspection.
package enum MachineSource: Hashable, Sendable {
    case live
    /// A captured tree.
    case tree(String)
    /// The name of an embedded machine, or a file.
    case description(String)

    /// Discovers or decodes the machine. Blocks.
    package func read() throws(InputError) -> Machine {
        switch self {
        case .live: return try discover(.live())
        case .tree(let path):
            guard Files.exists("\(path)/sys") else {
                throw InputError(.malformed, path, "not a captured tree: the folder sys is missing")
            }
            return try discover(.captured(at: path))
        case .description(let name): return try readDescription(name)
        }
    }

    private func discover(_ root: HostRoot) throws(InputError) -> Machine {
        do { return try Discovery(root: root, destinations: Self.destinations).snapshot().machine } catch {
            throw InputError(.unreadable, root.path.isEmpty ? "/" : root.path, "\(error)")
        }
    }

    /// The cluster's addresses from the environment variables of a pod.
    private static var destinations: HostDestinations {
        func addresses(_ name: String) -> [IPAddress] {
            (Environment.value(name) ?? "").split(separator: ",").compactMap { IPAddress(parsing: $0) }
        }
        var destinations = HostDestinations(nodeAddresses: addresses("NODE_ADDRESS"))
        destinations.apiServers = addresses("KUBERNETES_SERVICE_HOST")
        return destinations
    }

    private func readDescription(_ name: String) throws(InputError) -> Machine {
        if let embedded = try MachineDescription.embedded(name) { return embedded.machine }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(name, limit: 64 << 20) } catch {
            guard error.isNotFound else { throw InputError(.unreadable, name, at: error.step, error.cause) }
            throw InputError(
                .unknown, name, "neither a file nor an embedded machine",
                advice: "embedded machines are \(MachineDescription.embeddedNames.joined(separator: ", "))")
        }
        do throws(InputError) { return try MachineDescription(json: bytes).machine } catch { throw error.within(name) }
    }
}
