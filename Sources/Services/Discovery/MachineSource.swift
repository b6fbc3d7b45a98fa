// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Hardware
import Linux
import NetworkModel

/// Where an inspection gets its machine from.
package enum MachineSource: Hashable, Sendable {
    case live
    /// A captured tree.
    case tree(String)
    /// An embedded machine's name, or a file.
    case description(String)

    /// A source that gives no machine: one line that says what is wrong and what would be right.
    package struct Unusable: Error, CustomStringConvertible {
        package var description: String
    }

    package func read() throws(Unusable) -> Machine {
        switch self {
        case .live: return try discover(.live())
        case .tree(let path):
            guard Files.exists("\(path)/sys") else {
                throw Unusable(description: "\(path) holds no captured tree: there is no \(path)/sys")
            }
            return try discover(.captured(at: path))
        case .description(let name): return try readDescription(name)
        }
    }

    private func discover(_ root: HostRoot) throws(Unusable) -> Machine {
        do { return try Discovery(root: root, destinations: Self.destinations).snapshot().machine } catch {
            throw Unusable(description: "\(error)")
        }
    }

    /// The cluster's addresses from the environment variables of a pod.
    private static var destinations: HostDestinations {
        func addresses(_ name: String) -> [IPAddress] {
            let text = getenv(name).map { String(cString: $0) } ?? ""
            return text.split(separator: ",").compactMap { IPAddress(parsing: $0) }
        }
        var destinations = HostDestinations(nodeAddresses: addresses("NODE_ADDRESS"))
        destinations.apiServers = addresses("KUBERNETES_SERVICE_HOST")
        return destinations
    }

    private func readDescription(_ name: String) throws(Unusable) -> Machine {
        do throws(MachineDescription.Malformed) {
            if let embedded = try MachineDescription.embedded(name) { return embedded.machine }
        } catch { throw Unusable(description: "embedded machine \(name): \(error)") }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(name, limit: 64 << 20) } catch {
            guard error.isNotFound else { throw Unusable(description: "\(error)") }
            let names = MachineDescription.embeddedNames.joined(separator: ", ")
            throw Unusable(description: "\"\(name)\" is neither a file nor an embedded machine; those are \(names)")
        }
        do throws(MachineDescription.Malformed) { return try MachineDescription(json: bytes).machine } catch {
            throw Unusable(description: "\(name) is no machine description: \(error)")
        }
    }
}
