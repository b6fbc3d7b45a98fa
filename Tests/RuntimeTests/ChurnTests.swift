// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Inspection
import KubeletAPI
import Linux
import ResourceAPI
import Testbed
import Testing

/// Many pods that start and stop in containerd, which is restarted in the meantime.
@Suite(.serialized, .enabled(if: Place.canRunContainers, "\(Place.containersReason)"))
struct ChurnTests {
    /// NEARSIDE_CHURN=200 for a long run.
    private static let pods = getenv("NEARSIDE_CHURN").flatMap { Int(String(cString: $0)) } ?? 16

    @Test(arguments: ContainerdPeer.Version.allCases)
    func `pods in churn have all their interfaces over two restarts of containerd, and the host is restored`(
        version: ContainerdPeer.Version
    ) throws {
        let scene = try Scene(version)
        let before = try scene.node.hostText()
        try scene.start()
        var generator = SplitMix(seed: 6)
        for number in 0..<Self.pods {
            if number == Self.pods / 3 { try scene.restart(SIGTERM) }
            if number == 2 * Self.pods / 3 { try scene.restart(SIGKILL) }
            let count = Int.random(in: 2...8, using: &generator)
            // About three at a time.
            while scene.free.count < count { try scene.finish() }
            try scene.run("pod-\(number)", interfaces: count)
        }
        while !scene.running.isEmpty { try scene.finish() }
        #expect(try scene.node.changes(since: before) == "")
        for folder in ["cdi", "journal/plans", "states/states"] { #expect(Files.list(scene.node.scratch(folder)).isEmpty) }
    }

    private final class Scene {
        struct Pod {
            var name: String
            var number: Int
            var sandbox: String
            var devices: [String]
        }

        let node: TestNode
        let containerd: ContainerdPeer
        var free: [String] = []
        var running: [Pod] = []
        private var started = 0

        init(_ version: ContainerdPeer.Version) throws {
            var machine = Machine(name: "bare")
            machine.functions = []
            var options = TestNode.Options(programs: Place.programs, machine: machine)
            options.virtualNICs = "vnic"
            node = try TestNode(options)
            containerd = try ContainerdPeer(version, of: node)
            try node.addInterfaces(16)
        }

        struct Broken: Error, CustomStringConvertible {
            var description: String
        }

        func start() throws {
            try node.startInjector(nriSocket: containerd.nriSocket)
            try node.startNode()
            guard try eventually({ try node.api.slices().flatMap { $0.spec.devices ?? [] }.count == 16 }) else {
                throw Broken(description: "not all interfaces are published: \(node.log("node.log"))")
            }
            free = try node.api.slices().flatMap { $0.spec.devices ?? [] }.map(\.name).sorted()
        }

        func restart(_ signal: Int32) throws { try containerd.restart(signal) }

        func run(_ name: String, interfaces: Int) throws {
            let devices = Array(free.prefix(interfaces))
            free.removeFirst(interfaces)
            let driver = node.options.driver
            let config = AllocationConfig(
                source: .fromClaim,
                opaque: OpaqueConfig(driver: driver, parameters: .object(["interface": .object(["name": .string("net")])])))
            // One of three claims was created from a template for its pod; any pod may use the others.
            let owner = OwnerReference(apiVersion: "v1", kind: "Pod", name: name, uid: name)
            try node.api.add(
                "pods/default",
                ResourceAPI.Pod(
                    metadata: Metadata(name: name, namespace: "default", uid: name),
                    spec: PodSpec(resourceClaims: [PodResourceClaim(name: "nics", resourceClaimName: name)])))
            try node.api.add(
                "resourceclaims/default",
                ResourceClaim(
                    metadata: Metadata(
                        name: name, namespace: "default", uid: "claim-\(name)", ownerReferences: started % 3 == 0 ? [owner] : nil),
                    status: ResourceClaimStatus(
                        allocation: AllocationResult(
                            devices: DeviceAllocation(
                                results: devices.map {
                                    AllocatedDevice(request: "nic", driver: driver, pool: node.options.node, device: $0)
                                }, config: [config])),
                        reservedFor: [ConsumerReference(resource: "pods", name: name, uid: name)])))
            // While the runtime reconnects, Prepare fails with this reason, and the kubelet retries.
            var ids: [String] = []
            var last: (any Error)?
            let isPrepared = eventually {
                do {
                    ids = try node.kubelet?.prepare(namespace: "default", name: name, uid: "claim-\(name)").flatMap(\.cdiDeviceIds) ?? []
                } catch { last = error }
                return !ids.isEmpty
            }
            guard isPrepared else { throw Broken(description: "Prepare of \(name): \(last.map { "\($0)" } ?? "")") }
            let sandbox = try containerd.runSandbox(name: name, uid: name)
            // One of two pods has a container that references the claim.
            let container = try containerd.startContainer("main", in: sandbox, cdiDevices: started % 2 == 0 ? ids : [])
            running.append(Pod(name: name, number: started, sandbox: sandbox, devices: devices))
            started += 1
            let seen = try containerd.execute(["ls", "/sys/class/net"], in: container).output
            let missing = (0..<interfaces).map { "net\($0)" }.filter { !seen.split(separator: "\n").contains(Substring($0)) }
            guard missing.isEmpty else {
                throw Broken(description: "\(name) runs without \(missing); it has \(seen); \(node.log("nri.log"))")
            }
        }

        /// The oldest pod ends.
        func finish() throws {
            let pod = running.removeFirst()
            let unprepare = { try self.node.kubelet?.unprepare(namespace: "default", name: pod.name, uid: "claim-\(pod.name)") }
            // With a grace period of 0 the kubelet may release the claim first.
            if pod.number % 3 == 0 { try unprepare() }
            try containerd.removeSandbox(pod.sandbox)
            if pod.number % 3 != 0 { try unprepare() }
            free += pod.devices
        }
    }
}
