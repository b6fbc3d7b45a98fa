// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Hardware
import Linux
import NetworkModel

/// The source of the machine for an inspection.
package enum MachineSource: Hashable, Sendable {
    case live
    /// A captured tree.
    case tree(String)
    /// The name of an embedded machine, or a file.
    case description(String)

    /// An unusable source.
    package struct Unusable: Error, Hashable, Sendable, CustomStringConvertible {
        /// The kind of the error, for programs.
        package enum Code: String, Hashable, Sendable {
            case noTree, undiscoverable, unreadable, unknown, malformed
        }

        package var code: Code
        /// A path or a name.
        package var object: String
        package var cause: String
        package var advice: String?

        package var description: String { "\(object): \(cause)\(advice.map { "; \($0)" } ?? "")" }
    }

    /// Discovers or decodes the machine. Blocks.
    package func read() throws(Unusable) -> Machine {
        switch self {
        case .live: return try discover(.live())
        case .tree(let path):
            guard Files.exists("\(path)/sys") else {
                throw Unusable(code: .noTree, object: path, cause: "not a captured tree: the folder sys is missing")
            }
            return try discover(.captured(at: path))
        case .description(let name): return try readDescription(name)
        }
    }

    private func discover(_ root: HostRoot) throws(Unusable) -> Machine {
        do { return try Discovery(root: root, destinations: Self.destinations).snapshot().machine } catch {
            throw Unusable(code: .undiscoverable, object: root.path.isEmpty ? "/" : root.path, cause: "\(error)")
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
        } catch { throw Unusable(code: .malformed, object: name, cause: "\(error)") }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(name, limit: 64 << 20) } catch {
            guard error.isNotFound else { throw Unusable(code: .unreadable, object: name, cause: "\(error)") }
            let names = MachineDescription.embeddedNames.joined(separator: ", ")
            throw Unusable(
                code: .unknown, object: name, cause: "neither a file nor an embedded machine",
                advice: "embedded machines are \(names)")
        }
        do throws(MachineDescription.Malformed) { return try MachineDescription(json: bytes).machine } catch {
            throw Unusable(code: .malformed, object: name, cause: "not a machine description: \(error)")
        }
    }
}
