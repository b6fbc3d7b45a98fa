// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import InjectorSocket
import Journal
import KubeletAPI
import Linux
import NRIMessages
import ResourceAPI
import TTRPC
import Testbed
import Testing

/// The two real daemons against an API server, a kubelet (through libgrpc) and a runtime.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct DaemonTests {
    @Test(arguments: [RuntimePeer.Dialect.stateChange, .calls])
    func `a claim goes the whole way and the host is as before`(dialect: RuntimePeer.Dialect) throws {
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
        #expect(try node.interfaces(pod).contains("net1"))
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

    /// What the claim's status says of this driver's devices.
    private func status(_ node: TestNode, _ name: String) throws -> [AllocatedDeviceStatus] {
        try node.api.claim(name).status?.devices ?? []
    }

    @Test
    func `a claim says what became of it, and nothing any more when it was given up`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        _ = try node.prepare("a")
        #expect(try eventually { try status(node, "a").first?.conditions?.first?.reason == "Prepared" })
        #expect(try status(node, "a").first?.conditions?.first?.status == "False")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try eventually { try status(node, "a").first?.conditions?.first?.status == "True" })
        let entry = try #require(try status(node, "a").first)
        #expect(entry.device == TestNode.nic && entry.networkData?.interfaceName == "net1")
        #expect(
            entry.networkData?.ips?.first?.hasPrefix("10.77.") == true && entry.networkData?.hardwareAddress?.hasPrefix("02:4e:53") == true)
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        #expect(try eventually { try status(node, "a").isEmpty })
    }

    @Test
    func `a claim that cannot be prepared says why, on itself and by an event, with all that is wrong`() throws {
        let node = try TestNode.serving()
        let parameters = JSONValue.object(["interface": .object(["mtu": .integer(1), "nam": .string("x"), "dhcp": .bool(true)])])
        let config = AllocationConfig(source: .fromClaim, opaque: OpaqueConfig(driver: node.options.driver, parameters: parameters))
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(name: "bad", namespace: "default", uid: "uid-bad"),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: [
                                AllocatedDevice(request: "nic", driver: node.options.driver, pool: node.options.node, device: TestNode.nic)
                            ],
                            config: [config])))))
        let error = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("bad") }
        for part in ["interface.mtu", "interface.nam"] { #expect(error?.details.contains(part) == true, "\(error?.details ?? "")") }
        #expect(throws: KubeletPeer.Failure.self) { try node.prepare("bad") }
        #expect(try eventually { try status(node, "bad").first?.conditions?.first?.reason == "PrepareFailed" })
        #expect(try status(node, "bad").first?.conditions?.first?.message.contains("interface.nam") == true)
        #expect(try eventually { try node.api.events().contains { $0.reason == "PrepareFailed" && $0.involvedObject.name == "bad" } })
        #expect(try node.api.events().count { $0.reason == "PrepareFailed" } == 1, "asking again is no news")
    }

    @Test
    func `without NRI the gate alone brings a claim's devices, and holds a container back without them`() throws {
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
        #expect(try node.interfaces(pod).contains("net1"))
        #expect(try gate("uid-a").status == 0, "for every container of the pod")
        // Another pod cannot take it away, although nobody tells of sandboxes.
        let other = try node.makePod("q", uid: "pod-2")
        let second = try ChildProcess("/bin/sleep", ["1000"], in: try node.namespace(of: other))
        let socket = node.scratch("states/nri.sock")
        let stolen = try ChildProcess.run(
            "/bin/sh", ["-c", "echo '{\"pid\": \(second.identifier)}' | \(Place.programs)/nearside-gate --claim uid-a --socket \(socket)"],
            in: node.host)
        #expect(stolen.status == 1 && stolen.output.contains("still in another pod's sandbox"), "\(stolen.output)")
        #expect(try node.interfaces(pod).contains("net1"))
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a pod in the host's network gets device nodes, and a NIC's interface is refused with the way out`() throws {
        let node = try TestNode.serving()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = NRIPodSandbox.testbed(id: "s", uid: "pod-1", name: "p", networkNamespace: nil)
        try node.runtime?.run(pod)
        let error = #expect(throws: RPCFailure.self) { try node.runtime?.create(NRIContainer(), in: pod) }
        #expect(error?.message.contains("take hostNetwork out of the pod, or claim a device without an interface") == true)
        // The gate says the same, to a container in the host's network.
        let container = try ChildProcess("/bin/sleep", ["1000"], in: node.host)
        let command =
            "echo '{\"pid\": \(container.identifier)}' | \(Place.programs)/nearside-gate --claim uid-a --socket \(node.scratch("states/nri.sock"))"
        let held = try ChildProcess.run("/bin/sh", ["-c", command], in: node.host)
        #expect(held.status == 1 && held.output.contains("take hostNetwork out of the pod"), "\(held.output)")
        try node.addClaim("gpu", devices: ["pci-0000-07-00-0"], pod: "pod-2", interface: nil)
        _ = try node.prepare("gpu")
        try node.runtime?.create(NRIContainer(), in: .testbed(id: "t", uid: "pod-2", name: "q", networkNamespace: nil))
        try node.unprepare("a")
        try node.unprepare("gpu")
    }

    @Test
    func `a plan that is damaged on the disk is still known, is written anew, and its devices stay taken`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.addClaim("a")
        let devices = try node.prepare("a")
        let file = node.scratch("journal/plans/uid-a.json")
        let plan = try Files.readText(file)
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)

        try Files.write(file, "{")
        try node.addClaim("b", pod: "pod-2")
        let refusal = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("b") }
        #expect(refusal?.details.contains("default/a") == true, "\(refusal?.details ?? "")")
        #expect(try node.prepare("a") == devices)
        #expect(try Files.readText(file) == plan)

        try Files.write(file, "{")
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
        #expect(Files.list(node.scratch("journal/plans")).isEmpty && Files.list(node.scratch("states/states")).isEmpty)
        try node.prepare("b")
    }

    /// nearside-nri keeps plans in memory: one that is damaged before it starts, it has never seen.
    @Test(arguments: [false, true])
    func `a plan that is damaged before anybody reads it is made anew for its pod, and no pod slips by`(isForgotten: Bool) throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.addClaim("a", pod: "pod-one")
        try node.prepare("a")
        node.kill(node: SIGTERM)
        node.kill(injector: SIGTERM)
        let file = node.scratch("journal/plans/uid-a.json")
        let plan = try Files.readText(file)
        if !isForgotten { try node.startNode() }
        try Files.write(file, "{")
        try node.startInjector()
        let pod = try node.makePod("one", uid: "pod-one")
        let other = try node.makePod("two", uid: "pod-two")
        for pod in [pod, other] { try node.runtime?.run(pod) }
        if isForgotten {
            // Whose it was, nobody can say now.
            for pod in [pod, other] {
                #expect { try node.runtime?.create(NRIContainer(), in: pod) } throws: {
                    "\($0)".contains("may be one of those that use the claim with UID uid-a, whose plan was damaged")
                }
            }
            try node.startNode()
        }
        try node.runtime?.create(NRIContainer(), in: other)
        #expect(try !node.interfaces(other).contains("net1"))
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.interfaces(pod).contains("net1"))
        #expect(try Files.readText(file) == plan)
        #expect(Files.list(node.scratch("journal/plans")) == ["uid-a.json"])
        for pod in [pod, other] { try node.runtime?.stop(pod) }
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `unprepare before the sandbox stops brings the interface back first`() throws {
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
    func `without nearside-nri, or without its runtime, nothing is prepared, and the message says why`() throws {
        let node = try TestNode.hgxA100()
        try node.startNode()
        try node.addClaim("a")
        let missing = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("a") }
        #expect(missing?.details.contains("nearside-nri does not answer") == true, "\(missing?.details ?? "")")
        try node.startInjector(nriSocket: node.scratch("nobody.sock"))
        #expect(
            eventually {
                let error = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("a") }
                return error?.details.contains("is not synchronised with the container runtime") == true
            })
        #expect(Files.list(node.scratch("journal/plans")).isEmpty)
    }

    @Test
    func `a claim without interfaces needs no runtime, and can be given up without nearside-nri, which cleans up at its next start`() throws
    {
        let node = try TestNode.hgxA100()
        try node.startInjector(nriSocket: node.scratch("nobody.sock"))
        try node.startNode()
        try node.addClaim("gpu", devices: ["pci-0000-07-00-0"], interface: nil)
        #expect(try node.prepare("gpu").flatMap(\.cdiDeviceIds) == ["dra.nearside/claim=uid-gpu-pci-0000-07-00-0"])
        #expect(try Files.readText(node.scratch("cdi/dra.nearside-uid-gpu.json")).contains("/dev/nvidia0"))
        node.kill(injector: SIGKILL)
        try node.unprepare("gpu")
        #expect(Files.list(node.scratch("journal/plans")).isEmpty)
        try node.startInjector(nriSocket: node.scratch("nobody.sock"))
        #expect(eventually { Files.list(node.scratch("cdi")).isEmpty })
    }

    @Test(arguments: [SIGKILL, SIGTERM])
    func `nearside-nri ended while a pod runs: the next one takes over and brings everything back`(signal: Int32) throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        node.kill(injector: signal)
        #expect(throws: KubeletPeer.Failure.self) { try node.unprepare("a") }
        #expect(try node.interfaces(pod).contains("net1"), "the running pod keeps its interface")
        try node.startInjector()
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test(arguments: [SIGKILL, SIGTERM])
    func `nearside-node ended: a prepared pod still gets its devices, and the next one knows the claim`(signal: Int32) throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        node.kill(node: signal)
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.interfaces(pod).contains("net1"))
        try node.startNode()
        // Another claim cannot have the device, also for the one that has just started.
        try node.addClaim("b", pod: "pod-2")
        let error = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("b") }
        #expect(error?.details == "claim default/b: device pci-0000-0c-00-0 is still held by claim default/a")
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `an interface in a pod keeps its device published as it was, by the next nearside-node too`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        for index in machine.functions.indices { machine.functions[index].rdmaDevices = [] }
        let node = try TestNode(TestNode.Options(programs: Place.programs, machine: machine))
        defer { node.removeAllPods() }
        try node.startInjector()
        try node.startNode()
        #expect(try eventually { try node.api.hasWholePool() })
        let published = try node.api.slices()
        let device = try #require(published.flatMap { $0.spec.devices ?? [] }.first { $0.name == "pci-0000-0c-00-0" })
        // What only the driver of the interface tells, and no record of an attachment.
        #expect(device.attributes?["linkGbps"] == .int(10))
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.interfaces(pod).contains("net1"))
        for signal in [SIGTERM, SIGKILL] {
            node.kill(node: signal)
            try node.startNode()
            // It has taken its snapshot before it answers.
            let error = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("nothing") }
            #expect(error != nil)
            usleep(200_000)
            #expect(try node.api.slices() == published)
        }
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        #expect(try eventually { try node.api.slices() == published })
    }

    @Test
    func `a claim for a pair gets all its members, and nobody else gets one of them`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        #expect(try eventually { try node.api.hasWholePool() })
        let all = try node.api.slices().flatMap { $0.spec.devices ?? [] }
        #expect(all.count { $0.attributes?["kind"] == .string("pair") } == 8)
        let before = try node.hostText()
        // The pair of the NIC that the other tests use.
        let rail = try #require(all.first { $0.name == TestNode.nic }?.attributes?["pair"])
        guard case .string(let name) = rail else { return }
        try node.addClaim("pair", devices: [name])
        let prepared = try node.prepare("pair")
        #expect(prepared.map(\.deviceName) == [name])
        #expect(prepared.first?.cdiDeviceIds.count == 2)
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.interfaces(pod).contains("net1"))
        try node.addClaim("nic", pod: "pod-2")
        let refused = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("nic") }
        #expect("\(String(describing: refused))".contains("still held by claim default/pair"))
        try node.runtime?.stop(pod)
        try node.unprepare("pair")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a cluster that does not know counters gets no pair devices, one warning, and no writes after that`() throws {
        let node = try TestNode.hgxA100()
        node.api.switchOff([.partitionableDevices])
        try node.startNode()
        #expect(try eventually { try node.api.slices().flatMap { $0.spec.devices ?? [] }.count == 16 })
        usleep(1_500_000)
        let settled = try node.api.slices()
        #expect(settled.count == 1 && settled[0].spec.sharedCounters == nil)
        #expect(
            settled.flatMap { $0.spec.devices ?? [] }.allSatisfy { $0.consumesCounters == nil && $0.attributes?["kind"] != .string("pair") }
        )
        #expect(node.log("node.log").split(separator: "\n").count { $0.contains("the cluster has no counters") } == 1)
        usleep(500_000)
        #expect(try node.api.slices() == settled)
        // The next instance knows it from the journal's folder, and writes nothing.
        func writes() -> Int { node.api.requests.count { $0.hasPrefix("POST") || $0.hasPrefix("PUT") || $0.hasPrefix("DELETE") } }
        let before = writes()
        node.kill(node: SIGKILL)
        try node.startNode()
        usleep(700_000)
        #expect(try node.api.slices() == settled)
        #expect(writes() == before)
        // When the kubelet has deleted all, the cluster is asked again.
        try node.api.deleteAllSlices()
        #expect(try eventually { try node.api.slices().flatMap { $0.spec.devices ?? [] }.count == 16 })
        #expect(eventually { node.log("node.log").split(separator: "\n").count { $0.contains("the cluster has no counters") } == 2 })
    }

    /// Pair, rail and basis of each published device.
    private func pairs(_ node: TestNode) throws -> [String: [DeviceAttribute?]] {
        let devices = try node.api.slices().flatMap { $0.spec.devices ?? [] }.filter { $0.name.hasPrefix("pci-") }
        return Dictionary(
            uniqueKeysWithValues: devices.map { device in (device.name, ["pair", "rail", "pairBasis"].map { device.attributes?[$0] }) })
    }

    @Test
    func `a hint is published as the basis, and a lost accelerator leaves the others their pairs and rails`() throws {
        var options = TestNode.Options(
            programs: Place.programs, machine: try #require(try MachineDescription.embedded("azure-nd-a100-v4")).machine)
        options.topologyPolicy = """
            {"apiVersion": "nearside/v1alpha1", "kind": "TopologyPolicy", "hints": [
              {"machine": "Other*", "groups": [["0003:00:00.0", "0103:00:00.0"], ["0004:00:00.0", "0104:00:00.0"]]},
              {"groups": [["0003:00:00.0", "0104:00:00.0"], ["0004:00:00.0", "0103:00:00.0"]]}]}
            """
        let node = try TestNode(options)
        try node.startNode()
        #expect(try eventually { try pairs(node).count == 16 })
        let whole = try pairs(node)
        #expect(whole["pci-0003-00-00-0"] == [.string("pair-0"), .int(0), .string("hint")])
        #expect(whole["pci-0003-00-00-0"] == whole["pci-0104-00-00-0"])
        #expect(whole["pci-000e-00-00-0"] == [.string("pair-5"), .int(5), .string("numa")])

        // The GPU falls off the bus; a change of an interface has the devices looked at again.
        let link = node.scratch("host/sys/bus/pci/devices/0004:00:00.0")
        func look(mtu: Int) throws {
            #expect(try ChildProcess.run("/sbin/ip", ["link", "set", "ib7", "mtu", "\(mtu)"], in: node.host).status == 0)
        }
        #expect(rename(link, node.scratch("lost")) == 0)
        try look(mtu: 1400)
        #expect(try eventually { try pairs(node).count == 15 })
        for round in 0..<2 {
            let rest = try pairs(node)
            #expect(rest["pci-0103-00-00-0"] == [nil, nil, nil])
            for (name, pair) in whole where name != "pci-0004-00-00-0" && name != "pci-0103-00-00-0" {
                #expect(rest[name] == pair, "\(name)")
            }
            guard round == 0 else { break }
            // The next nearside-node knows of it from the journal's folder.
            node.kill(node: SIGKILL)
            try node.startNode()
            usleep(300_000)
        }
        #expect(rename(node.scratch("lost"), link) == 0)
        try look(mtu: 1500)
        #expect(try eventually { try pairs(node) == whole })
    }

    @Test
    func `a pod that started while nearside-nri was away gets its interface at the next synchronisation`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        _ = try node.prepare("a")
        node.kill(injector: SIGKILL)
        let pod = try node.makePod("p", uid: "pod-1")
        try node.startInjector()
        #expect(try node.interfaces(pod).contains("net1"))
    }

    @Test
    func `nearside-nri killed at any moment of attaching or detaching: no container without its interfaces, and the host as before`() throws
    {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        let devices = [TestNode.nic, "pci-0000-12-00-0", "pci-0000-4b-00-0"]
        for (round, delay) in [0, 3, 10, 25, 40, 60, 80, 100].enumerated() {
            let name = "k\(round)"
            try node.addClaim(name, devices: devices, pod: name, interface: "net")
            _ = try node.prepare(name)
            let pod = try node.makePod(name, uid: name)
            // The runtime goes on without the plugin, whatever becomes of the call.
            try killInjector(node, afterMilliseconds: delay)
            try? node.runtime?.run(pod)
            node.kill(injector: SIGKILL)
            try node.startInjector()
            try node.runtime?.create(NRIContainer(), in: pod)
            let inside = try node.interfaces(pod)
            for index in devices.indices { #expect(inside.contains("net\(index)"), "killed after \(delay) ms: \(inside)") }
            try killInjector(node, afterMilliseconds: delay)
            try? node.runtime?.stop(pod)
            node.kill(injector: SIGKILL)
            try node.startInjector()
            try node.unprepare(name)
            node.removePod(pod)
            try node.expectUnchanged(since: before, "killed after \(delay) ms")
        }
    }

    /// Kills it from a thread of its own, while this one waits for it.
    private func killInjector(_ node: TestNode, afterMilliseconds delay: Int) throws {
        guard let process = node.injectorDaemon?.identifier else { return }
        try KernelThread.start {
            usleep(useconds_t(delay * 1000))
            Glibc.kill(process, SIGKILL)
        }
    }

    @Test
    func `an interface that cannot be attached holds the container back, and the sandbox still starts`() throws {
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
        #expect(error?.message.contains("interface ib0: move into the pod") == true, "\(error?.message ?? "")")
        // The kernel makes the link-local address again, which is tentative for a moment.
        let changes = try node.changes(since: before)
        #expect(changes.isEmpty, "\(changes)")
        // The name becomes free: the same sandbox goes on.
        _ = try ChildProcess.run("/sbin/ip", ["link", "del", "net1"], in: try node.namespace(of: pod))
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.interfaces(pod).contains("net1"))
    }

    @Test
    func `a pod in the host's network is told that it cannot have an interface`() throws {
        let node = try TestNode.serving()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = NRIPodSandbox.testbed(id: "s", uid: "pod-1", name: "p", networkNamespace: nil)
        try node.runtime?.run(pod)
        let error = #expect(throws: RPCFailure.self) { try node.runtime?.create(NRIContainer(), in: pod) }
        #expect(error?.message.contains("runs in the host's network") == true)
    }

    @Test
    func `SIGTERM ends both daemons with 0 and takes their sockets away`() throws {
        let node = try TestNode.serving()
        #expect(node.nodeDaemon?.stop() == 0)
        #expect(node.injectorDaemon?.stop() == 0)
        #expect(!node.log("node.log").contains("registering with the kubelet anew"))
        #expect(!Files.list(node.scratch("plugins_registry")).contains { $0.hasSuffix(".sock") })
        #expect(!Files.list(node.scratch("plugins/dra.nearside")).contains { $0.hasSuffix(".sock") })
        #expect(!Files.exists(node.scratch("states/nri.sock")))
    }

    @Test
    func `bad requests to nearside-nri's socket get one clear answer and harm nothing`() throws {
        let node = try TestNode.hgxA100()
        try node.startInjector()
        let path = node.scratch("states/nri.sock")
        func ask(_ text: String) throws -> String {
            let socket = try UnixSocket.connect(path)
            try UnixSocket.setTimeout(socket, milliseconds: 5000)
            try UnixSocket.send([UInt8](text.utf8), to: socket)
            return String(decoding: try UnixSocket.receive(from: socket).bytes, as: UTF8.self)
        }
        #expect(try ask("hello\n") == "error \"hello\" is no request; known are status, publish, release and admit\n")
        #expect(try ask(String(repeating: "x", count: 400)) == "error the request is longer than 256 bytes\n")
        #expect(try ask("admit ../../etc\n").hasPrefix("error "))
        #expect(try ask("admit nobody\n") == "error claim nobody is not prepared on this node\n")
        #expect(try ask("release nobody\n") == "ok\n")
        // One that says nothing does not keep others waiting.
        let silent = try UnixSocket.connect(path)
        #expect(try InjectorClient.ask(.status, socket: path, milliseconds: 1000).refusal == nil)
        withExtendedLifetime(silent) {}
    }

    @Test
    func `garbage from the runtime ends the connection, and a new one is made`() throws {
        let node = try TestNode.hgxA100()
        let socket = node.scratch("runtime.sock")
        let listener = try UnixSocket.listen(socket)
        try node.startInjector(nriSocket: socket)
        let first = try UnixSocket.accept(listener)
        try UnixSocket.send([UInt8](repeating: 0xff, count: 64), to: first)
        _ = try RuntimePeer(listener: listener, seconds: 10)
    }
}
