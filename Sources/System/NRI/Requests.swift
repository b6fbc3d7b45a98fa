// SPDX-License-Identifier: Apache-2.0

// Requests of the runtime, without unused fields: environments, arguments and mounts of all containers of a node are many
// megabytes. Field numbers: api/nri/nri.proto.

struct ConfigureRequest: Hashable, Sendable {
    var runtimeName = ""
    var runtimeVersion = ""
    /// Milliseconds.
    var requestTimeout: Int64 = 0

    init(_ payload: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ProtobufReader(payload)
        while let field = try reader.next() {
            switch field {
            case (2, .bytes(let bytes)): runtimeName = try ProtobufReader.text(bytes)
            case (3, .bytes(let bytes)): runtimeVersion = try ProtobufReader.text(bytes)
            case (5, .integer(let value)): requestTimeout = Int64(bitPattern: value)
            default: continue
            }
        }
    }
}

struct SynchronizeRequest: Hashable, Sendable {
    var pods: [PodSandbox] = []
    /// Sandboxes with a running or paused container.
    var running: Set<String> = []
    /// True if another part of the list follows.
    var more = false

    init() {}

    init(_ payload: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ProtobufReader(payload)
        while let field = try reader.next() {
            switch field {
            case (1, .bytes(let bytes)):
                var pod = PodSandbox()
                try pod.merge(bytes)
                pods.append(pod)
            case (2, .bytes(let bytes)):
                var container = Container()
                try container.merge(bytes)
                if container.isRunning { running.insert(container.sandbox) }
            case (3, .integer(let value)): more = value != 0
            default: continue
            }
        }
    }

    /// The size of the kept texts in bytes.
    var size: Int { pods.reduce(0) { $0 + $1.size } + running.reduce(0) { $0 + $1.utf8.count } }
}

/// The request of RunPodSandbox, StopPodSandbox, RemovePodSandbox and CreateContainer, which also has a container.
struct PodSandboxRequest: Hashable, Sendable {
    var pod = PodSandbox()
    var container = Container()

    init(_ payload: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ProtobufReader(payload)
        while let field = try reader.next() {
            switch field {
            case (1, .bytes(let bytes)): try pod.merge(bytes)
            case (2, .bytes(let bytes)): try container.merge(bytes)
            default: continue
            }
        }
    }
}

struct StateChangeEvent: Hashable, Sendable {
    /// 1 to 3 for RUN, STOP and REMOVE of a pod's sandbox.
    var event: Int32 = 0
    var pod = PodSandbox()

    init(_ payload: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ProtobufReader(payload)
        while let field = try reader.next() {
            switch field {
            case (1, .integer(let value)): event = Int32(truncatingIfNeeded: value)
            case (2, .bytes(let bytes)): try pod.merge(bytes)
            default: continue
            }
        }
    }
}

struct Container: Hashable, Sendable {
    var sandbox = ""
    var name = ""
    var state: Int32 = 0

    /// CONTAINER_PAUSED or CONTAINER_RUNNING.
    var isRunning: Bool { state == 2 || state == 3 }

    mutating func merge(_ bytes: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case (2, .bytes(let bytes)): sandbox = try ProtobufReader.text(bytes)
            case (3, .bytes(let bytes)): name = try ProtobufReader.text(bytes)
            case (4, .integer(let value)): state = Int32(truncatingIfNeeded: value)
            default: continue
            }
        }
    }
}
