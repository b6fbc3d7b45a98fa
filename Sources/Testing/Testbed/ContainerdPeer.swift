// SPDX-License-Identifier: Apache-2.0

import CRIMessages
import Glibc
import Linux
import SwiftProtobuf

/// A separate real containerd, driven over CRI like by a kubelet.
///
/// Its files, sockets and namespaces are in one folder, and it runs in one network namespace; the system's own
/// containerd is not affected.
package final class ContainerdPeer {
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// The versions differ in NRI (0.6 and 0.8: different events and fields), in CRI and in their configuration.
    package enum Version: String, CaseIterable, Sendable, CustomStringConvertible {
        case one = "1.7"
        case two = "2"

        /// The folder with the unpacked version.
        package var tools: String { "\(Place.tools)/containerd-\(rawValue)" }
        package var description: String { "containerd \(rawValue)" }
    }

    private let folder: String
    private let tools: String
    private let namespace: NetworkNamespace
    /// Kept to the end, because its folder has the socket with which pods of a failed test are removed.
    private let node: TestNode
    private var daemon: ChildProcess
    private let channel: KubeletPeer.Channel
    private var sandboxes: [String: CRIPodSandboxConfig] = [:]

    private static let cgroup = "/nearside-test-\(getpid())"
    private static let sandboxImage = "docker.io/nearside/sandbox:1"
    package static let image = "docker.io/nearside/busybox:1"

    package var nriSocket: String { "\(folder)/nri.sock" }

    /// The runtime of a node, which runs in the node's network, and reads the node's CDI specifications.
    package init(_ version: Version, of node: TestNode) throws {
        (folder, tools, namespace) = (node.scratch("containerd"), version.tools, node.host)
        self.node = node
        try Files.makeFolder("\(folder)/cni")
        try Files.write("\(folder)/config.toml", Self.configuration(version, folder: folder, cdi: node.scratch("cdi")))
        try Files.write(
            "\(folder)/cni/10-ptp.conflist",
            """
            {"cniVersion":"1.0.0","name":"test","plugins":[{"type":"ptp","ipam":{"type":"host-local",
             "dataDir":"\(folder)/ipam","ranges":[[{"subnet":"10.88.0.0/16"}]]}}]}
            """)
        daemon = try Self.start(tools: tools, folder: folder, namespace)
        guard let channel = KubeletPeer.Channel(socket: "\(folder)/c.sock", authority: "localhost") else {
            throw Failure(description: "no channel to containerd")
        }
        self.channel = channel
        try awaitServing()
        for name in [Self.sandboxImage, Self.image] {
            let archive = "\(folder)/image.tar"
            try Self.check("make-image", try ChildProcess.run("\(Place.scripts)/make-image", ["/bin/busybox", archive, name]))
            try Self.check(
                "ctr import",
                try ChildProcess.run(
                    "\(tools)/usr/bin/ctr",
                    ["--address", "\(folder)/c.sock", "-n", "k8s.io", "images", "import", "--local", "--snapshotter", "native", archive]))
        }
    }

    private static func start(tools: String, folder: String, _ namespace: NetworkNamespace) throws(SystemError) -> ChildProcess {
        try ChildProcess(
            "/usr/bin/env",
            ["PATH=\(tools)/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin", "containerd", "--config", "\(folder)/config.toml"],
            in: namespace, output: "\(folder)/containerd.log")
    }

    private func awaitServing() throws {
        let isServing = eventually {
            (try? channel.call("/runtime.v1.RuntimeService/Version", CRIVersionRequest()) as CRIVersionResponse) != nil
        }
        guard isServing else { throw Failure(description: "containerd does not serve CRI:\n\(log)") }
    }

    /// Restarts containerd; containers continue.
    package func restart(_ signal: Int32 = SIGTERM) throws {
        daemon.stop(signal)
        daemon = try Self.start(tools: tools, folder: folder, namespace)
        try awaitServing()
    }

    deinit {
        for id in sandboxes.keys { try? removeSandbox(id) }
        daemon.stop()
        // Mounts that a failed test left below the folder.
        let mounts = (try? Files.readText("/proc/self/mountinfo", limit: 64 << 20)) ?? ""
        for line in mounts.split(separator: "\n").reversed() {
            let fields = line.split(separator: " ")
            if fields.count > 4, fields[4].hasPrefix("\(folder)/") { umount2(String(fields[4]), Int32(MNT_DETACH)) }
        }
        // cgroup v1 has a tree for each controller, v2 one tree.
        let root = "/sys/fs/cgroup"
        for tree in [root] + Files.list(root).map({ "\(root)/\($0)" }) { Self.removeCgroups("\(tree)\(Self.cgroup)") }
    }

    /// A cgroup is removed like an empty folder, although it contains files.
    private static func removeCgroups(_ path: String) {
        for name in Files.list(path) where Files.exists("\(path)/\(name)/cgroup.procs") { removeCgroups("\(path)/\(name)") }
        rmdir(path)
    }

    private static func check(_ what: String, _ result: (status: Int32, output: String)) throws {
        if result.status != 0 { throw Failure(description: "\(what) failed: \(result.output)") }
    }

    package var log: String { String(((try? Files.readText("\(folder)/containerd.log", limit: 64 << 20)) ?? "").suffix(6000)) }

    // MARK: CRI

    private func call<Answer: Message>(_ method: String, _ request: some Message) throws -> Answer {
        do {
            return try channel.call("/runtime.v1.RuntimeService/\(method)", request, milliseconds: 120_000)
        } catch { throw Failure(description: "\(method): \(error)") }
    }

    package func runSandbox(name: String, uid: String) throws -> String {
        var config = CRIPodSandboxConfig()
        config.metadata.name = name
        config.metadata.uid = uid
        config.metadata.namespace = "default"
        config.logDirectory = folder
        config.linux.cgroupParent = Self.cgroup
        var request = CRIRunPodSandboxRequest()
        request.config = config
        let response: CRIRunPodSandboxResponse = try call("RunPodSandbox", request)
        sandboxes[response.podSandboxID] = config
        return response.podSandboxID
    }

    /// Creates and starts a sleeping container, and returns its id.
    package func startContainer(_ name: String, in sandbox: String, cdiDevices: [String]) throws -> String {
        var request = CRICreateContainerRequest()
        request.podSandboxID = sandbox
        request.config.metadata.name = name
        request.config.image.image = Self.image
        request.config.command = ["/bin/sleep", "1000000"]
        request.config.logPath = "\(name).log"
        request.config.cdiDevices = cdiDevices.map { name in
            var device = CRICDIDevice()
            device.name = name
            return device
        }
        request.sandboxConfig = sandboxes[sandbox] ?? CRIPodSandboxConfig()
        let created: CRICreateContainerResponse = try call("CreateContainer", request)
        var start = CRIContainerRequest()
        start.containerID = created.containerID
        let _: CRIEmpty = try call("StartContainer", start)
        return created.containerID
    }

    /// Runs a command in the container, and returns its output and status.
    package func execute(_ command: [String], in container: String) throws -> (output: String, status: Int32) {
        var request = CRIExecSyncRequest()
        request.containerID = container
        request.cmd = command
        request.timeout = 10
        let response: CRIExecSyncResponse = try call("ExecSync", request)
        return (
            String(decoding: response.stdout, as: UTF8.self) + String(decoding: response.stderr, as: UTF8.self),
            response.exitCode
        )
    }

    package func stopSandbox(_ id: String) throws {
        var request = CRIPodSandboxRequest()
        request.podSandboxID = id
        let _: CRIEmpty = try call("StopPodSandbox", request)
    }

    package func removeSandbox(_ id: String) throws {
        try stopSandbox(id)
        var request = CRIPodSandboxRequest()
        request.podSandboxID = id
        let _: CRIEmpty = try call("RemovePodSandbox", request)
        sandboxes[id] = nil
    }

    private static func configuration(_ version: Version, folder: String, cdi: String) -> String {
        // In 1.7 one plugin has both parts of CRI.
        let plugin = version == .one ? "io.containerd.grpc.v1.cri" : "io.containerd.cri.v1.runtime"
        let programs = "\(version.tools)/usr/lib/cni"
        let images =
            version == .one
            ? "[plugins.'\(plugin)'.containerd]\n  snapshotter = \"native\""
            : """
            [plugins.'io.containerd.cri.v1.images']
              snapshotter = "native"
            [plugins.'io.containerd.cri.v1.images'.pinned_images]
              sandbox = "\(sandboxImage)"
            """
        return """
            version = \(version == .one ? 2 : 3)
            root = "\(folder)/root"
            state = "\(folder)/state"
            disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
            [grpc]
              address = "\(folder)/c.sock"
            [ttrpc]
              address = "\(folder)/c.ttrpc"
            [plugins.'\(plugin)']
              \(version == .one ? "sandbox_image = \"\(sandboxImage)\"" : "")
              enable_cdi = true
              cdi_spec_dirs = ["\(cdi)"]
              netns_mounts_under_state_dir = true
              disable_apparmor = true
              restrict_oom_score_adj = true
            [plugins.'\(plugin)'.cni]
              \(version == .one ? "bin_dir = \"\(programs)\"" : "bin_dirs = [\"\(programs)\"]")
              conf_dir = "\(folder)/cni"
            [plugins.'\(plugin)'.containerd.runtimes.runc]
              runtime_type = "io.containerd.runc.v2"
            [plugins.'\(plugin)'.containerd.runtimes.runc.options]
              BinaryName = "/usr/sbin/runc"
              SystemdCgroup = false
            \(images)
            [plugins.'io.containerd.nri.v1.nri']
              disable = false
              socket_path = "\(folder)/nri.sock"
              plugin_path = "\(folder)/nri-plugins"
              plugin_config_path = "\(folder)/nri-config"

            """
    }
}
