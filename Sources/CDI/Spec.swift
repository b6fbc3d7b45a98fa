// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Linux

/// A CDI specification (cncf.io/container-device-interface, SPEC.md): what a container gets for a device.
///
/// Only fields of version 0.5.0 are used, which every runtime accepts.
package struct Spec: Hashable, Sendable, Codable {
    package var cdiVersion = "0.5.0"
    /// `vendor/class`.
    package var kind: String
    package var devices: [SpecDevice]
    /// For every container that has any of the devices.
    package var containerEdits: ContainerEdits?

    package init(kind: String, devices: [SpecDevice], containerEdits: ContainerEdits? = nil) {
        self.kind = kind
        self.devices = devices
        self.containerEdits = containerEdits
    }
}

package struct SpecDevice: Hashable, Sendable, Codable {
    package var name: String
    package var containerEdits: ContainerEdits

    package init(name: String, containerEdits: ContainerEdits) {
        self.name = name
        self.containerEdits = containerEdits
    }
}

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

/// A file of the host in a container.
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

/// A device node. With type and numbers given, the runtime need not look at the host's.
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
    /// Seconds.
    package var timeout: Int?

    package init(hookName: String, path: String, args: [String]?, timeout: Int?) {
        self.hookName = hookName
        self.path = path
        self.args = args
        self.timeout = timeout
    }
}

/// The folder in which runtimes look for specifications.
package struct SpecFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// The runtimes' caches act on a rename within the folder, which is how files are replaced here. Not flushed to a disk: after
    /// a restart of the machine plans and specifications are made anew.
    package func write(_ spec: Spec, named name: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let bytes = [UInt8](try encoder.encode(spec))
        let file = "\(path)/\(name).json"
        // A file that says the same is left alone: runtimes read the folder again after each change.
        if (try? Files.read(file)) == bytes { return }
        try Files.makeFolder(path)
        try Files.replace(file, with: bytes, isDurable: false)
    }

    package func remove(named name: String) throws(SystemError) {
        try Files.remove("\(path)/\(name).json")
    }

    /// The kind of the devices in a file; nil when the file is no specification.
    package func kind(named name: String) -> String? {
        struct Header: Decodable { var kind: String }
        let bytes = try? Files.readPlain("\(name).json", in: path, limit: 4 << 20)
        return bytes.flatMap { try? JSONDecoder().decode(Header.self, from: Data($0)) }?.kind
    }

    /// Names of the files that are there.
    package func names() -> [String] {
        Files.list(path).filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.map { String($0.dropLast(5)) }
    }
}
