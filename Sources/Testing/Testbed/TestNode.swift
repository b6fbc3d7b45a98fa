// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Hardware
package import Linux
package import NRIMessages
import Netlink
import NetworkModel
package import ResourceAPI

/// A node made of namespaces: the two real daemons, an API server, a kubelet and a runtime, and a
/// machine whose NICs are macvlan interfaces.
///
/// The host's own network stays untouched: the node has its own network namespace, which the daemons take for the host's.
package final class TestNode {
    package struct Options {
        /// The folder with the programs.
        package var programs: String
        package var machine: Machine
        package var driver = "dra.nearside"
        package var node = "testnode"
        package var own = "gpus"
        /// True to serve the API over TLS, with a token.
        package var isSecure = false
        /// The folder for the node's files. On a real node the journal is on a tmpfs.
        package var folder = "/tmp"
        /// Prefixes of virtual interfaces that are published.
        package var virtualNICs = ""
        package var dialect = RuntimePeer.Dialect.stateChange
        /// Further arguments of nearside-node.
        package var nodeArguments: [String] = []
        /// Path of nearside-gate for nearside-nri; nil for the one among the programs, empty for none.
        package var gate: String?
        /// Further arguments of nearside-nri, and capabilities that it gets beyond those it always needs.
        package var injectorArguments: [String] = []
        package var injectorCapabilities: [String] = []
        /// Additional environment variables of nearside-nri: `NAME=VALUE`.
        package var injectorEnvironment: [String] = []
        /// The program of hack/testbed/seccomp.c, which starts the daemons under the profiles of manifests/seccomp; nil for no profiles.
        package var confiner = Place.confiner
        /// True if the daemons can be made to fail at a chosen step.
        package var hasFaults = false
        /// The runtime's own time-out for a plugin's answer.
        package var runtimeTimeout = Duration.seconds(60)
        /// The time-out that the runtime sends to the plugin, in milliseconds.
        package var requestTimeout = 2000
        /// The kubelet's time-out for a call, in milliseconds.
        package var kubeletTimeout = 45_000
        /// A topology policy for nearside-node, as JSON.
        package var topologyPolicy: String?

        package init(programs: String, machine: Machine) {
            self.programs = programs
            self.machine = machine
        }
    }

    /// Additional capabilities of nearside-nri for claims with DHCP.
    package static let leaseCapabilities = ["net_raw", "net_bind_service", "setuid", "setgid", "setpcap", "kill"]

    package var options: Options
    package let scratch: ScratchFolder
    /// The network namespace that represents the host's.
    package let host: NetworkNamespace
    package let api: APIServer
    package private(set) var kubelet: KubeletPeer?
    package private(set) var runtime: RuntimePeer?
    package private(set) var nodeDaemon: ChildProcess?
    package private(set) var injectorDaemon: ChildProcess?
    private let runtimeListener: Descriptor
    /// Paths of the pods' namespaces, by the pod's UID.
    private var pods: [String: String] = [:]
    private var synchronized: [NRIPodSandbox] = []
    /// Containers that the runtime started without a plugin.
    package var containers: [NRIContainer] = []

    /// Lays out the machine, and creates interfaces for its NICs. Needs root.
    package init(_ options: Options) throws {
        self.options = options
        scratch = try ScratchFolder("near", in: options.folder)
        host = try NetworkNamespace.make()
        try TreeWriter.write(options.machine, to: scratch("host"))
        if let policy = options.topologyPolicy { try Files.write(scratch("policy.json"), policy) }
        for folder in ["plugins_registry", "plugins", "cdi", "journal", "states"] { try Files.makeFolder(scratch(folder)) }
        let machine = options.machine
        try host.run { () throws(SystemError) in
            // This wire has no other hosts: without duplicate address detection addresses are usable at once.
            for scope in ["all", "default"] { try Files.write("/proc/sys/net/ipv6/conf/\(scope)/accept_dad", "0") }
            do throws(NetlinkError) { try Self.standIn(for: machine) } catch {
                throw SystemError("make stand-in interfaces: \(error)", "testbed", code: error.code)
            }
        }
        let listen = scratch("nri.sock")
        runtimeListener = try UnixSocket.listen(listen)
        // The API server listens in the node's namespace, so that its port cannot conflict.
        let identity = options.isSecure ? try Self.makeIdentity(in: scratch.path) : nil
        api = try Self.start(identity, in: host)
        try api.add("nodes", NodeObject.named(options.node))
        api.restrict(to: AdmissionRules(driver: options.driver, node: options.node))
    }

    deinit {
        runtime = nil
        injectorDaemon?.stop()
        nodeDaemon?.stop()
        api.shutDown()
    }

    private static func start(_ identity: APIServer.Identity?, in namespace: NetworkNamespace) throws -> APIServer {
        let result: Result<APIServer, any Error> = try namespace.run { () throws(SystemError) in
            Result { try APIServer(identity: identity) }
        }
        return try result.get()
    }

    /// A self-signed certificate for loopback.
    private static func makeIdentity(in folder: String) throws -> APIServer.Identity {
        let made = try ChildProcess.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                "-subj", "/CN=testbed", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "\(folder)/key.pem", "-out",
                "\(folder)/ca.crt",
            ])
        if made.status != 0 { throw SystemError("make a certificate: \(made.output)", folder, code: made.status) }
        try Files.write("\(folder)/token", "secret-of-the-testbed\n")
        return .init(certificateFile: "\(folder)/ca.crt", keyFile: "\(folder)/key.pem", token: "secret-of-the-testbed")
    }

    /// Creates a macvlan with an address for each interface of the machine, all on one veth.
    private static func standIn(for machine: Machine) throws(NetlinkError) {
        let socket = try NetlinkSocket()
        if let loopback = try socket.link(named: "lo") {
            try socket.change(loopback.index, LinkChange(isUp: true), "bring the loopback up")
        }
        try socket.addLink("wire0", kind: "veth")
        guard let parent = try socket.link(named: "wire0") else { return }
        try socket.change(parent.index, LinkChange(isUp: true), "bring the wire up")
        for link in try socket.links() where link.kind == "veth" {
            try socket.change(link.index, LinkChange(isUp: true), "bring the wire up")
        }
        let netdevs = machine.functions.flatMap(\.netdevs)
        for (index, netdev) in netdevs.enumerated() {
            let low = UInt8(truncatingIfNeeded: index)
            try socket.addLink(
                netdev.name, kind: "macvlan", parent: parent.index,
                address: HardwareAddress(bytes: [0x02, 0x4e, 0x53, 0, 0, low]))
            guard let link = try socket.link(named: netdev.name), let address = IPAddress(bytes: [10, 77, low, 1]) else { continue }
            try socket.setAddress(InterfaceAddress(index: link.index, prefix: IPPrefix(address: address, length: 24)))
            try socket.change(link.index, LinkChange(isUp: true), "bring \(netdev.name) up")
        }
    }

    /// Adds interfaces with addresses: `vnic0` and so on, which are published if ``Options/virtualNICs`` matches.
    package func addInterfaces(_ count: Int) throws {
        try host.run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            guard let parent = try socket.link(named: "wire0") else { return }
            for index in 0..<count {
                try socket.addLink("vnic\(index)", kind: "macvlan", parent: parent.index)
                guard let link = try socket.link(named: "vnic\(index)"),
                    let address = IPAddress(bytes: [10, 78, UInt8(truncatingIfNeeded: index), 1])
                else { continue }
                try socket.setAddress(InterfaceAddress(index: link.index, prefix: IPPrefix(address: address, length: 24)))
                try socket.change(link.index, LinkChange(isUp: true), "bring vnic\(index) up")
            }
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
    }

    // MARK: Daemons

    /// Starts `nearside-nri` with the Testbed's runtime.
    package func startInjector() throws {
        try startInjector(nriSocket: scratch("nri.sock"))
        try connectRuntime()
    }

    /// Starts only `nearside-nri`.
    package func startInjector(nriSocket: String = "", withoutRuntime: Bool = false) throws {
        injectorDaemon = try startDaemon(
            "nearside-nri", capabilities: ["net_admin", "sys_admin"] + options.injectorCapabilities,
            [
                "--journal", scratch("journal"), "--states", scratch("states"), "--cdi", scratch("cdi"), "--driver", options.driver,
                "--host-root", scratch("host"),
                "--gate",
                options.gate ?? "\(options.programs)/nearside-gate", "--log-level", "debug",
            ] + (withoutRuntime ? ["--without-nri"] : ["--nri-socket", nriSocket])
                + options.injectorArguments,
            log: "nri.log")
    }

    /// Starts a daemon as the manifests do: as root with exactly these capabilities.
    private func startDaemon(
        _ name: String, capabilities: [String], _ arguments: [String], log: String
    ) throws(SystemError) -> ChildProcess {
        var command = ["\(options.programs)/\(name)"]
        if let confiner = options.confiner, !options.hasFaults {
            command = [confiner, "\(Place.project)/manifests/seccomp/\(name).json"] + command
        }
        if options.hasFaults { command = ["/usr/bin/env"] + (try faults(name).environment) + command }
        if name == "nearside-nri", !options.injectorEnvironment.isEmpty {
            command = ["/usr/bin/env"] + options.injectorEnvironment + command
        }
        let bounding = (["-all"] + capabilities.map { "+\($0)" }).joined(separator: ",")
        return try ChildProcess(
            "/usr/bin/setpriv",
            ["--inh-caps=-all", "--bounding-set=\(bounding)", "--no-new-privs"] + command + arguments,
            in: host, output: scratch(log))
    }

    /// The fault switch of a daemon under test.
    package func faults(_ daemon: String) throws(SystemError) -> FaultSwitch { try FaultSwitch(file: scratch("\(daemon).faults")) }

    /// Disconnects the runtime from the plugin.
    package func dropRuntime() { runtime = nil }

    /// Waits for the plugin's connection to the Testbed's runtime, and reports all pods to it.
    package func connectRuntime() throws {
        runtime = try RuntimePeer(
            listener: runtimeListener, dialect: options.dialect, pods: synchronized, containers: containers,
            requestTimeout: options.requestTimeout, timeout: options.runtimeTimeout, plugin: injectorDaemon,
            log: { [weak self] in self?.log("nri.log") ?? "" })
    }

    /// Starts `nearside-node`, and waits until it serves its registration socket or ends.
    ///
    /// - Parameter registrationSocket: the path of the socket; nil for the default.
    package func startNode(registrationSocket: String? = nil) throws {
        nodeDaemon = try startDaemon(
            "nearside-node", capabilities: [],
            [
                "--node-name", options.node, "--driver", options.driver, "--own", options.own, "--virtual-nics",
                options.virtualNICs, "--host-root", scratch("host"),
                "--journal", scratch("journal"), "--states", scratch("states"), "--kubelet-root", scratch.path, "--api-server", api.url,
                "--log-level", "debug",
            ] + (options.isSecure ? ["--ca-file", scratch("ca.crt"), "--token-file", scratch("token")] : [])
                + (options.topologyPolicy == nil ? [] : ["--topology-policy", scratch("policy.json")]) + options.nodeArguments,
            log: "node.log")
        let socket = registrationSocket ?? scratch("plugins_registry/\(options.driver)-reg.sock")
        func isServing() -> Bool { (try? UnixSocket.connect(socket)) != nil }
        guard eventually({ isServing() || nodeDaemon?.isRunning != true }), isServing() else {
            throw SystemError("find", "\(socket); nearside-node says: \(log("node.log"))", code: 2)
        }
        kubelet = try KubeletPeer(registrationSocket: socket, timeout: options.kubeletTimeout)
    }

    /// The end of a daemon's output.
    package func log(_ name: String) -> String {
        String(((try? Files.readText(scratch(name), limit: 64 << 20)) ?? "").suffix(4000))
    }

    package func kill(injector signal: Int32) { injectorDaemon?.stop(signal) }
    package func kill(node signal: Int32) { nodeDaemon?.stop(signal) }

    // MARK: Pods

    /// Creates a namespace for a pod, and returns the sandbox that the runtime would report.
    package func makePod(_ name: String, uid: String) throws -> NRIPodSandbox {
        let folder = "/run/netns"
        try Files.makeFolder(folder)
        // Tests run in parallel, and their pods can have equal names.
        let path = "\(folder)/\(scratch.path.split(separator: "/").last ?? "near")-\(uid)"
        let namespace = try NetworkNamespace.make()
        try bind(namespace, to: path)
        pods[uid] = path
        let pod = NRIPodSandbox.testbed(id: "sandbox-\(uid)", uid: uid, name: name, networkNamespace: path)
        synchronized.append(pod)
        return pod
    }

    package func namespace(of pod: NRIPodSandbox) throws -> NetworkNamespace {
        try NetworkNamespace(path: pod.networkNamespace ?? "")
    }

    /// Removes the namespace, like the runtime after the pod.
    package func removePod(_ pod: NRIPodSandbox) {
        guard let path = pods.removeValue(forKey: pod.uid) else { return }
        synchronized.removeAll { $0.id == pod.id }
        unbind(path)
    }

    package func removeAllPods() {
        for path in pods.values { unbind(path) }
        pods = [:]
        synchronized = []
    }

    // MARK: State as text

    /// The host's network as text, after the kernel has applied the effects of link changes.
    package func hostText() throws -> String { try HostText.atRest { try HostText.network(host) } }

    /// Returns the differences of the host's network; empty if there are none within the time that the kernel takes.
    package func changes(since before: String, within seconds: Double = Waiting.bound) throws -> String {
        try HostText.changes(since: before, within: seconds) { try HostText.network(host) }
    }
}

extension NodeObject {
    /// A Node with pod networks by default.
    package static func named(_ name: String, podCIDRs: [String]? = ["10.244.0.0/24"]) -> NodeObject {
        NodeObject(metadata: Metadata(name: name, uid: "node-uid-\(name)"), spec: .init(podCIDRs: podCIDRs))
    }
}
