// SPDX-License-Identifier: Apache-2.0

/// A pod's sandbox as the runtime reports it, without unused fields: labels and most annotations can have 256 KiB for each pod.
///
/// Field numbers: api/nri/nri.proto.
package struct PodSandbox: Hashable, Sendable {
    package var id = ""
    package var name = ""
    /// UID of the pod in the cluster.
    package var uid = ""
    package var namespace = ""
    /// Path of the network namespace; nil for a pod in the host's network.
    package var networkNamespace: String?
    /// The kubelet's source of the pod, such as "api" (kubelet/types, ConfigSourceAnnotationKey); nil if it is not reported.
    package var configSource: String?

    package init() {}

    /// The size of the kept texts in bytes.
    var size: Int {
        [id, name, uid, namespace, networkNamespace ?? "", configSource ?? ""].reduce(0) { $0 + $1.utf8.count }
    }

    /// Merges another part of the message; a message can come in several parts.
    mutating func merge(_ bytes: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case (1, .bytes(let bytes)): id = try ProtobufReader.text(bytes)
            case (2, .bytes(let bytes)): name = try ProtobufReader.text(bytes)
            case (3, .bytes(let bytes)): uid = try ProtobufReader.text(bytes)
            case (4, .bytes(let bytes)): namespace = try ProtobufReader.text(bytes)
            case (6, .bytes(let bytes)):
                let (key, value) = try Self.pair(bytes)
                if key.elementsEqual("kubernetes.io/config.source".utf8) { configSource = try ProtobufReader.text(value) }
            case (8, .bytes(let bytes)): try mergeLinux(bytes)
            default: continue
            }
        }
    }

    private mutating func mergeLinux(_ bytes: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            guard case (5, .bytes(let bytes)) = field else { continue }
            let (type, path) = try Self.pair(bytes)
            if networkNamespace == nil, !path.isEmpty, type.elementsEqual("network".utf8) {
                networkNamespace = try ProtobufReader.text(path)
            }
        }
    }

    /// Reads fields 1 and 2: an entry of a map, or a namespace with its type and path.
    private static func pair(
        _ bytes: ArraySlice<UInt8>
    ) throws(ProtocolError) -> (first: ArraySlice<UInt8>, second: ArraySlice<UInt8>) {
        var pair: (ArraySlice<UInt8>, ArraySlice<UInt8>) = ([], [])
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case (1, .bytes(let bytes)): pair.0 = bytes
            case (2, .bytes(let bytes)): pair.1 = bytes
            default: continue
            }
        }
        return pair
    }
}
