// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ControlProtocol
import Glibc
import KubeletAPI
import Linux
import NRI
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// The two real daemons with an API server, a kubelet (through libgrpc) and a runtime.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct DaemonTests {
    @Test(arguments: [RuntimePeer.Dialect.stateChange, .calls])
    func `a claim is prepared, attached and released, and the host is restored`(dialect: RuntimePeer.Dialect) throws {
        let node = try TestNode.hgxA100(dialect)
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        #expect(node.runtime?.subscribedEvents == 0x000f)
        #expect(node.kubelet?.info.type == "DRAPlugin")
        #expect(
            node.kubelet?.info.supportedVersions == [
                "v1.DRAPlugin", "v1beta1.DRAPlugin", "v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth",
            ])
        try node.addClaim("a")
        let devices = try node.prepare("a")
        #expect(devices.map(\.requestNames) == [["nic"]])
        #expect(try node.prepare("a") == devices, "preparing again gives the same")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
        #expect(try node.prepare("a") == devices, "also while the interface is in the pod")
        try node.runtime?.stop(pod)
        try node.runtime?.stop(pod)
        try node.runtime?.remove(pod)
        node.removePod(pod)
        try node.unprepare("a")
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
        #expect(Files.list(node.scratch("cdi")).isEmpty && Files.list(node.scratch("journal/plans")).isEmpty)
        #expect(Files.list(node.scratch("states/states")).isEmpty)
    }

    @Test
    func `without NRI the gate attaches a claim's devices, and holds a container back without them`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector(withoutRuntime: true)
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        let container = try ChildProcess("/bin/sleep", ["1000"], in: try node.namespace(of: pod))
        func gate(_ claim: String) throws -> (status: Int32, output: String) {
            let socket = node.scratch("states/nri.sock")
            let command = "echo '{\"pid\": \(container.identifier)}' | \(Place.programs)/nearside-gate --claim \(claim) --socket \(socket)"
            return try ChildProcess.run("/bin/sh", ["-c", command], in: node.host)
        }
        #expect(try gate("uid-other").status == 1)
        #expect(try gate("uid-a").status == 0)
        #expect(try node.isAttached("net1", in: pod))
        #expect(try gate("uid-a").status == 0, "for every container of the pod")
        // Another pod cannot take the device, although no sandboxes are reported.
        let other = try node.makePod("q", uid: "pod-2")
        let second = try ChildProcess("/bin/sleep", ["1000"], in: try node.namespace(of: other))
        let socket = node.scratch("states/nri.sock")
        let stolen = try ChildProcess.run(
            "/bin/sh", ["-c", "echo '{\"pid\": \(second.identifier)}' | \(Place.programs)/nearside-gate --claim uid-a --socket \(socket)"],
            in: node.host)
        #expect(stolen.status == 1 && node.log("nri.log").contains("code=deviceInUse"), "\(stolen.output)")
        #expect(try node.isAttached("net1", in: pod))
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a pod in the host's network gets device nodes, and a NIC's interface is refused with a remedy`() throws {
        let node = try TestNode.serving()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = NRIPodSandbox.testbed(id: "s", uid: "pod-1", name: "p", networkNamespace: nil)
        try node.runtime?.run(pod)
        let error = #expect(throws: RPCFailure.self) { try node.runtime?.create(NRIContainer(), in: pod) }
        #expect(error?.message.contains("remove hostNetwork from the pod, or claim a device without an interface") == true)
        // The gate gives the same error to a container in the host's network.
        let container = try ChildProcess("/bin/sleep", ["1000"], in: node.host)
        let command =
            "echo '{\"pid\": \(container.identifier)}' | \(Place.programs)/nearside-gate --claim uid-a --socket \(node.scratch("states/nri.sock"))"
        let held = try ChildProcess.run("/bin/sh", ["-c", command], in: node.host)
        #expect(held.status == 1 && held.output.contains("remove hostNetwork from the pod"), "\(held.output)")
        try node.addClaim("gpu", devices: ["pci-0000-07-00-0"], pod: "pod-2", interface: nil)
        _ = try node.prepare("gpu")
        try node.runtime?.create(NRIContainer(), in: .testbed(id: "t", uid: "pod-2", name: "q", networkNamespace: nil))
        try node.unprepare("a")
        try node.unprepare("gpu")
    }

    @Test
    func `unprepare before the sandbox stops restores the interface first`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
        try node.runtime?.stop(pod)
        try node.expectUnchanged(since: before)
    }

    @Test
    func `without nearside-nri, or without its runtime, no claim is prepared, and the message has the reason`() throws {
        let node = try TestNode.hgxA100()
        try node.startNode()
        try node.addClaim("a")
        try node.expectRefusal("a", .injectorUnreachable)
        try node.startInjector(nriSocket: node.scratch("missing.sock"))
        let isRefused = try eventually {
            #expect(throws: KubeletPeer.Failure.self) { try node.prepare("a") }
            return try node.api.events().contains { $0.reason == ClaimError.Code.injectorRefused.rawValue }
        }
        #expect(isRefused)
        #expect(Files.list(node.scratch("journal/plans")).isEmpty)
    }

    @Test
    func `a claim without interfaces needs no runtime, and can be released without nearside-nri`() throws {
        let node = try TestNode.hgxA100()
        try node.startInjector(nriSocket: node.scratch("missing.sock"))
        try node.startNode()
        try node.addClaim("gpu", devices: ["pci-0000-07-00-0"], interface: nil)
        #expect(try node.prepare("gpu").flatMap(\.cdiDeviceIds) == ["dra.nearside/claim=uid-gpu-pci-0000-07-00-0"])
        #expect(try Files.readText(node.scratch("cdi/dra.nearside-uid-gpu.json")).contains("/dev/nvidia0"))
        node.kill(injector: SIGKILL)
        try node.unprepare("gpu")
        #expect(Files.list(node.scratch("journal/plans")).isEmpty)
        try node.startInjector(nriSocket: node.scratch("missing.sock"))
        #expect(eventually { Files.list(node.scratch("cdi")).isEmpty })
    }

    @Test
    func `an interface that cannot be attached holds the container back, but the sandbox starts`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        _ = try ChildProcess.run("/sbin/ip", ["link", "add", "net1", "type", "ifb"], in: try node.namespace(of: pod))
        try node.runtime?.run(pod)
        let error = #expect(throws: RPCFailure.self) { try node.runtime?.create(NRIContainer(), in: pod) }
        #expect(error?.message.contains("ib0: move into the pod") == true, "\(error?.message ?? "")")
        // The kernel creates the link-local address again, which is tentative for a moment.
        let changes = try node.changes(since: before)
        #expect(changes.isEmpty, "\(changes)")
        // The name is free again, so that the same sandbox gets its interface.
        _ = try ChildProcess.run("/sbin/ip", ["link", "del", "net1"], in: try node.namespace(of: pod))
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
    }

    @Test
    func `SIGTERM ends both daemons with status 0 and removes their sockets`() throws {
        let node = try TestNode.serving()
        #expect(node.nodeDaemon?.stop() == 0)
        #expect(node.injectorDaemon?.stop() == 0)
        #expect(!node.log("node.log").contains("registration with the kubelet failed"))
        #expect(!Files.list(node.scratch("plugins_registry")).contains { $0.hasSuffix(".sock") })
        #expect(!Files.list(node.scratch("plugins/dra.nearside")).contains { $0.hasSuffix(".sock") })
        #expect(!Files.exists(node.scratch("states/nri.sock")))
    }

    @Test
    func `each invalid request to nearside-nri's socket gets one clear reply and has no effect`() throws {
        let node = try TestNode.hgxA100()
        try node.startInjector()
        let path = node.scratch("states/nri.sock")
        func ask(_ text: String) throws -> String {
            let socket = try UnixSocket.connect(path)
            try UnixSocket.setTimeout(socket, .seconds(5))
            try UnixSocket.send([UInt8](text.utf8), to: socket)
            return String(decoding: try UnixSocket.receive(from: socket).bytes, as: UTF8.self)
        }
        #expect(try ask("hello\n") == "error \"hello\": not a request; requests are status, publish, release and admit\n")
        #expect(try ask(String(repeating: "x", count: 400)) == "error request: longer than 256 bytes\n")
        #expect(try ask("admit ../../etc\n").hasPrefix("error "))
        #expect(try ask("admit unknown\n") == "error claim unknown: not prepared on this node\n")
        #expect(try ask("release unknown\n") == "ok\n")
        // A silent client does not delay other clients.
        let silent = try UnixSocket.connect(path)
        #expect(try ControlClient.ask(.status, socket: path, timeout: .seconds(1)).refusal == nil)
        withExtendedLifetime(silent) {}
    }

    @Test
    func `garbage from the runtime ends the connection, and nearside-nri reconnects`() throws {
        let node = try TestNode.hgxA100()
        let socket = node.scratch("runtime.sock")
        let listener = try UnixSocket.listen(socket)
        try node.startInjector(nriSocket: socket)
        let first = try UnixSocket.accept(listener)
        try UnixSocket.send([UInt8](repeating: 0xff, count: 64), to: first)
        _ = try RuntimePeer(listener: listener)
    }
}
