// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Glibc
import Hardware
import JournalModel
import Linux
import NetworkModel
import PodNetwork
import ResourceAPI
import SliceModel
import Testbed
import Testing
import Topology

/// Software RoCE, which has a data path: between two pods, over the wire between two NICs of the machine.
@Suite(.enabled(if: Room.isNewer, "\(Room.reason)"), .serialized, .timeLimit(.minutes(3)))
struct SoftwareRDMATests {
    /// Runs the closure with two interfaces that are up, with an RDMA device on each.
    private func withDevices(_ sharing: String, _ body: ([String]) throws -> Void) throws {
        try Room.run("modprobe -a ib_uverbs rdma_rxe")
        let names = try Room.snapshot().functions.filter { $0.device == "10d3" }.prefix(2).compactMap { $0.netdevs.first?.name }
        #expect(names.count == 2)
        try Room.setSharing(sharing)
        defer { try? Room.setSharing("shared") }
        for (number, name) in names.enumerated() { try Room.run("rdma link add rxe\(number) type rxe netdev \(name)") }
        defer { for number in names.indices { _ = try? Room.run("rdma link del rxe\(number)") } }
        try Room.bringUp(names)
        defer { Room.bringDown(names) }
        try body(names)
    }

    private func order(
        _ network: PodNetwork, _ netdev: String, rdma: String?, _ address: String, name: String = "net1"
    ) throws -> PodNetwork.AttachRequest {
        PodNetwork.AttachRequest(
            device: netdev,
            plan: InterfacePlan(hostName: netdev, name: name, addresses: [try #require(IPPrefix(parsing: address))]),
            record: try network.records([netdev])[0], rdmaDevice: rdma)
    }

    private func entry(_ order: PodNetwork.AttachRequest, _ index: Int32?) -> PodNetwork.RestoreRequest {
        var attachment = Attachment(
            phase: .attached, device: order.device, podUID: "", sandbox: "", namespacePath: "",
            namespace: FileIdentity(device: 0, inode: 0), podName: order.plan?.name, host: order.record)
        attachment.podIndex = index
        attachment.rdmaDevice = order.rdmaDevice
        return PodNetwork.RestoreRequest(attachment)
    }

    /// A program in a pod, with its own view of sysfs as in containers.
    private func start(_ line: String, in pod: NetworkNamespace, output: String) throws -> ChildProcess {
        try ChildProcess(
            "/usr/bin/unshare", ["--mount", "sh", "-c", "mount -t sysfs sysfs /sys && exec \(line)"], in: pod, output: output)
    }

    @Test(arguments: ["shared", "exclusive"])
    func `two software RDMA devices of one pod get their former nodes in any order of moves`(
        sharing: String
    ) throws {
        try withDevices(sharing) { names in
            func nodes() throws -> [String] {
                let folder = "/sys/class/infiniband_verbs"
                return try Files.list(folder).filter { $0.hasPrefix("uverbs") }.sorted().map {
                    "\($0) \(try Files.readText("\(folder)/\($0)/ibdev"))"
                }
            }
            let (before, nodesBefore) = (try Room.hostText(), try nodes())
            let network = try PodNetwork()
            let isMoved = try network.movesRDMA()
            // The last one first.
            let orders = try names.enumerated().reversed().map { number, name in
                try order(network, name, rdma: isMoved ? "rxe\(number)" : nil, "10.9.0.\(number + 1)/24", name: "net\(number)")
            }
            let pod = try NetworkNamespace.make()
            let results = try network.attach(orders, to: pod)
            #expect(try nodes() == nodesBefore)
            #expect(network.restore(zip(orders, results).map { entry($0, $1.index) }, from: pod).isEmpty)
            try Room.expectUnchanged(before)
            #expect(try nodes() == nodesBefore)
        }
    }

    @Test(arguments: ["shared", "exclusive"], [false, true])
    func `two pods communicate over their own RDMA devices, and both are restored on the host`(sharing: String, dies: Bool) throws {
        try withDevices(sharing) { names in
            let before = try Room.hostText()
            #expect(before.contains("link rxe0/1 state ACTIVE physical_state LINK_UP netdev \(names[0])"), "\(before)")

            let network = try PodNetwork()
            let isMoved = try network.movesRDMA()
            let orders = try names.enumerated().map { number, name in
                try order(network, name, rdma: isMoved ? "rxe\(number)" : nil, "10.9.0.\(number + 1)/24")
            }
            var entries: [PodNetwork.RestoreRequest] = []
            do {
                let pods = try orders.map { _ in try NetworkNamespace.make() }
                for (order, pod) in zip(orders, pods) {
                    let results = try network.attach([order], to: pod)
                    entries.append(entry(order, results[0].index))
                    #expect(try network.areAttached([entries[entries.count - 1]], in: pod))
                }
                #expect(try Room.run("rdma dev").contains("rxe") == !isMoved)
                let scratch = try ScratchFolder("rdma")
                let server = try start("timeout 40 ibv_rc_pingpong -d rxe1 -g 1 -n 50", in: pods[1], output: scratch("server"))
                usleep(3_000_000)
                let client = try start("timeout 30 ibv_rc_pingpong -d rxe0 -g 1 -n 50 10.9.0.2", in: pods[0], output: scratch("client"))
                let (sent, answered) = (client.wait(), server.wait())
                let told = try Files.readText(scratch("client")) + Files.readText(scratch("server"))
                #expect(sent == 0 && answered == 0 && told.contains("50 iters"), "\(told)")
                if !dies {
                    for (entry, pod) in zip(entries, pods) { #expect(network.restore([entry], from: pod).isEmpty) }
                }
            }
            let gone = orders.map { entry($0, nil) }
            #expect(eventually { network.restore(gone, from: nil).isEmpty })
            try Room.expectUnchanged(before)
        }
    }

    @Test
    func `UCX with the variables of a claim uses only the claim's devices`() throws {
        try withDevices("shared") { _ in
            let machine = try Room.snapshot()
            let device = try #require(machine.devices.first { $0.rdmaDevices.first?.name == "rxe1" })
            var planner = ClaimPlanner(PlannerInput(PlannerOptions(driver: "dra.nearside"), devices: [device.sliceName: device]))
            planner.input.topology = MachineTopology(machine)
            let parameters: JSONValue = .object(["workload": .object(["environment": .bool(true)])])
            let claim = ResourceClaim(
                metadata: Metadata(name: "c", namespace: "ns", uid: "u1"),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: [
                                AllocatedDevice(request: "nic", driver: planner.input.driver, pool: "node", device: device.sliceName)
                            ],
                            config: [
                                AllocationConfig(
                                    source: .fromClaim, opaque: OpaqueConfig(driver: planner.input.driver, parameters: parameters))
                            ])),
                    reservedFor: [ConsumerReference(resource: "pods", name: "p1", uid: "p1")]))
            let variables = try #require(try planner.plan(claim, others: []).plan.containers).environment.map { "\($0.key)=\($0.value)" }
            // The transports of an endpoint besides memory.
            func devices(_ variables: [String]) throws -> Set<Substring> {
                let lines = try Room.run((["env"] + variables + ["ucx_info", "-p", "-u", "t"]).joined(separator: " ")).split(
                    separator: "\n")
                return Set(lines.compactMap { $0.firstMatch(of: /flags -- [^\/]+\/(\S+)/)?.1 }.filter { !$0.hasPrefix("memory") })
            }
            #expect(try devices([]).isSuperset(of: ["rxe0:1", "rxe1:1"]))
            let used = try devices(variables)
            #expect(used == ["rxe1:1"], "\(variables)")
        }
    }
}
