// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Primitives

/// The paths of the sockets that the kubelet calls.
///
/// With the pod's UID in the paths, two pods of one driver can serve at the same time: the new pod starts before the old one ends
/// (Kubernetes 1.33). The names follow the helper library, k8s.io/dynamic-resource-allocation/kubeletplugin.
package struct SocketNames: Hashable, Sendable {
    package var registration: String
    package var service: String

    /// The longest path of a socket: the kernel's field has 108 bytes including the terminator (unix(7)).
    private static let pathBytes = 107

    package init(driver: String, registry: String, data: String, podUID: String?) throws(InputError) {
        guard let podUID, !podUID.isEmpty else {
            registration = try Self.first(of: ["\(registry)/\(driver)-reg.sock"])
            service = try Self.first(of: ["\(data)/dra.sock"])
            return
        }
        registration = try Self.first(of: [
            "\(registry)/\(driver)-\(podUID)-reg.sock", "\(registry)/\(driver)-\(Self.digest(podUID, bytes: 8))-reg.sock",
            "\(registry)/dra-\(Self.digest("\(driver)\0\(podUID)", bytes: 16))-reg.sock",
        ])
        service = try Self.first(of: ["\(data)/dra-\(podUID).sock", "\(data)/dra-\(Self.digest(podUID, bytes: 8)).sock"])
    }

    private static func first(of paths: [String]) throws(InputError) -> String {
        if let path = paths.first(where: { $0.utf8.count <= pathBytes }) { return path }
        let path = paths.min { $0.utf8.count < $1.utf8.count } ?? ""
        throw InputError(
            .outOfBounds, "socket path \(path)", "\(path.utf8.count) bytes; the limit is \(pathBytes)",
            advice: "use shorter folders or a shorter driver name")
    }

    /// The first bytes of a SHA-256 as base64url without padding (RFC 4648, section 5).
    private static func digest(_ text: String, bytes: Int) -> String {
        Data(SHA256.hash(Array(text.utf8)).prefix(bytes)).base64EncodedString()
            .split(separator: "=", maxSplits: 1)[0]
            .map { $0 == "+" ? "-" : $0 == "/" ? "_" : String($0) }.joined()
    }
}
