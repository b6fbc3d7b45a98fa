// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Hardware
import Inspection
import KubeletAPI
import Linux
import ResourceAPI
import Testbed
import Topology

@main
struct NearsideDemo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nearside-demo",
        abstract: "Demonstrates the driver, from the devices of a p5 to a pod with its NICs.")

    @Flag(help: "Show the logs of the daemons.")
    var verbose = false

    func run() throws {
        guard let description = try MachineDescription.embedded("aws-p5") else { return }
        let machine = Self.withStandIns(description.machine)
        step("The machine: a p5.48xlarge with 8 GPUs and 32 EFA NICs (its description; the links are macvlan)")
        show(PairsDocument(MachineTopology(machine)).text)
        guard geteuid() == 0 else {
            note("The following steps create network namespaces: run the program as root to see them.")
            return
        }
        guard let own = Files.resolve("/proc/self/exe"), let slash = own.lastIndex(of: "/") else { return }
        let node = try TestNode(.init(programs: String(own[..<slash]), machine: machine))
        defer { node.removeAllPods() }
        do { try run(on: node, machine) } catch {
            note("the demonstration failed: \(error)\nnearside-node:\n\(node.log("node.log"))\nnearside-nri:\n\(node.log("nri.log"))")
            throw ExitCode(1)
        }
        if verbose { show("nearside-node:\n\(node.log("node.log"))\nnearside-nri:\n\(node.log("nri.log"))") }
    }

    private func run(on node: TestNode, _ machine: Machine) throws {
        let before = try node.hostText()
        step("nearside-nri (NET_ADMIN and SYS_ADMIN, no credentials) joins the container runtime")
        try node.startInjector()
        note("plugin \"\(node.runtime?.pluginName ?? "")\" is registered and synchronised")
        step("nearside-node (credentials, no capability) registers with the kubelet and publishes")
        try node.startNode()
        note("driver \(node.kubelet?.info.name ?? ""), services \(node.kubelet?.info.supportedVersions.joined(separator: ", ") ?? "")")
        guard try eventually({ try node.api.hasWholePool() }) else { throw ExitCode(1) }
        try showSlice(node)

        step("The scheduler gives a claim pair-3: one GPU and its four NICs")
        let claim = try addClaim(to: node)
        show(try JSONOutput.text(claim.status?.allocation?.devices.config ?? []))
        step("The kubelet prepares the claim (through libgrpc, over \(node.options.driver)'s socket)")
        let devices = try node.kubelet?.prepare(namespace: "default", name: "training", uid: "claim-1") ?? []
        for device in devices {
            note("\(device.requestNames.joined()) -> \(device.deviceName)  CDI \(device.cdiDeviceIds.joined())")
        }
        step("The runtime starts the pod's sandbox; nearside-nri moves the NICs into it")
        let pod = try node.makePod("worker-0", uid: "pod-1")
        try node.runtime?.run(pod)
        show(try ChildProcess.run("/sbin/ip", ["-brief", "address"], in: try node.namespace(of: pod)).output)
        show(try ChildProcess.run("/sbin/ip", ["route"], in: try node.namespace(of: pod)).output)
        step("The pod ends: the NICs are restored before its network namespace ends")
        try node.runtime?.stop(pod)
        node.removePod(pod)
        try node.kubelet?.unprepare(namespace: "default", name: "training", uid: "claim-1")
        let changes = try node.changes(since: before)
        if changes.isEmpty {
            note("the host's network is unchanged, to the last line of ip address and ip route")
        } else {
            note("THE HOST DIFFERS")
            show(changes)
        }
        step("Both daemons stop on SIGTERM")
        note("nearside-node ended with \(node.nodeDaemon?.stop() ?? -1), nearside-nri with \(node.injectorDaemon?.stop() ?? -1)")
        if !changes.isEmpty { throw ExitCode(1) }
    }

    private func showSlice(_ node: TestNode) throws {
        let slices = try node.api.slices()
        let devices = slices.flatMap { $0.spec.devices ?? [] }
        note("\(slices.count) ResourceSlice with \(devices.count) devices; the first NIC of pair-3:")
        if let nic = devices.first(where: { $0.attributes?["pair"] == .string("pair-3") && $0.attributes?["kind"] == .string("nic") }) {
            show(try JSONOutput.text(nic))
        }
    }

    /// Writes the claim of a pod with a pair, in place of the scheduler.
    private func addClaim(to node: TestNode) throws -> ResourceClaim {
        let devices = try node.api.slices().flatMap { $0.spec.devices ?? [] }
            .filter { $0.attributes?["pair"] == .string("pair-3") }
        let results = devices.map { device in
            AllocatedDevice(
                request: device.attributes?["kind"] == .string("nic") ? "nic" : "gpu", driver: node.options.driver,
                pool: node.options.node, device: device.name)
        }
        let config = AllocationConfig(
            source: .fromClaim, requests: ["nic"],
            opaque: OpaqueConfig(
                driver: node.options.driver,
                parameters: .object([
                    "interface": .object(["name": .string("rdma"), "mtu": .integer(1400)])
                ])))
        let claim = ResourceClaim(
            metadata: Metadata(name: "training", namespace: "default", uid: "claim-1"),
            status: ResourceClaimStatus(
                allocation: AllocationResult(devices: DeviceAllocation(results: results, config: [config])),
                reservedFor: [ConsumerReference(resource: "pods", name: "worker-0", uid: "pod-1")]))
        try node.api.add("resourceclaims/default", claim)
        return claim
    }

    /// Adds interfaces to the EFA NICs of a p5, so that the demonstration can move them; real EFA NICs have none.
    private static func withStandIns(_ machine: Machine) -> Machine {
        var machine = machine
        for index in machine.functions.indices {
            machine.functions[index].netdevs = []
            guard Catalog.isEFA(machine.functions[index]) else { continue }
            let bus = machine.functions[index].address.bus
            machine.functions[index].netdevs = [Netdev(name: "efa\(bus)")]
        }
        return machine
    }

    // MARK: Output

    private func step(_ text: String) { print("\n\(isatty(1) == 1 ? "\u{1B}[1m== \(text)\u{1B}[0m" : "== \(text)")") }
    private func note(_ text: String) { print("   \(text)") }
    private func show(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast(text.hasSuffix("\n") ? 1 : 0) {
            print("   \(line)")
        }
        fflush(nil)
    }
}
