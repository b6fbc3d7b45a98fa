// SPDX-License-Identifier: Apache-2.0

/// A CDI specification (cncf.io/container-device-interface, SPEC.md): the changes to a container for each device.
///
/// Only fields of version 0.5.0 are used, which every runtime accepts.
package struct Spec: Hashable, Sendable, Codable {
    package var cdiVersion = "0.5.0"
    /// `vendor/class`.
    package var kind: String
    package var devices: [SpecDevice]
    /// Edits for each container with any of the devices.
    package var containerEdits: ContainerEdits?

    package init(kind: String, devices: [SpecDevice], containerEdits: ContainerEdits? = nil) {
        self.kind = kind
        self.devices = devices
        self.containerEdits = containerEdits
    }
}

/// A device of a CDI specification, and the edits for containers with the device.
package struct SpecDevice: Hashable, Sendable, Codable {
    package var name: String
    package var containerEdits: ContainerEdits

    package init(name: String, containerEdits: ContainerEdits) {
        self.name = name
        self.containerEdits = containerEdits
    }
}

/// Changes to the OCI configuration of a container. At least one field has to be set: runtimes refuse empty edits.
package struct ContainerEdits: Hashable, Sendable, Codable {
    package var env: [String]?
    package var deviceNodes: [DeviceNode]?
    package var hooks: [Hook]?
    package var mounts: [Mount]?

    package init(env: [String]? = nil, deviceNodes: [DeviceNode]? = nil, hooks: [Hook]? = nil, mounts: [Mount]? = nil) {
        self.env = env
        self.deviceNodes = deviceNodes
        self.hooks = hooks
        self.mounts = mounts
    }
}

/// A bind mount of a file of the host into a container.
package struct Mount: Hashable, Sendable, Codable {
    package var hostPath: String
    package var containerPath: String
    package var options: [String]?

    package init(hostPath: String, containerPath: String, options: [String]?) {
        self.hostPath = hostPath
        self.containerPath = containerPath
        self.options = options
    }
}

/// A device node. With type and numbers, the runtime does not need to read the host's node.
package struct DeviceNode: Hashable, Sendable, Codable {
    package var path: String
    package var type = "c"
    package var major: UInt32
    package var minor: UInt32
    package var permissions = "rw"

    package init(path: String, major: UInt32, minor: UInt32) {
        self.path = path
        self.major = major
        self.minor = minor
    }
}

/// An OCI hook.
package struct Hook: Hashable, Sendable, Codable {
    package var hookName: String
    package var path: String
    package var args: [String]?
    /// Seconds after which the runtime ends the hook.
    package var timeout: Int?

    package init(hookName: String, path: String, args: [String]?, timeout: Int?) {
        self.hookName = hookName
        self.path = path
        self.args = args
        self.timeout = timeout
    }
}
