// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import ResourceAPI
import Testbed

/// Measures NodePrepareResources for a claim of one interface, alternating between these programs and those in the folder of
/// `NEARSIDE_OTHERS`.
enum PrepareBench {
    static func measure(_ rounds: Int, _ table: inout Table) throws {
        var nodes: [(name: String, node: TestNode, device: String)] = []
        let others = getenv("NEARSIDE_OTHERS").map { ("others", String(cString: $0)) }
        for (name, programs) in [("these", Place.programs)] + (others.map { [$0] } ?? []) {
            guard let (node, device) = try start(programs) else { return print("nothing is published by the programs in \(programs)") }
            nodes.append((name, node, device))
        }
        var times: [String: [Double]] = [:]
        for round in -warmUp..<rounds {
            for (name, node, device) in nodes {
                let uid = "claim-\(round + warmUp)"
                try node.api.add("resourceclaims/default", claim(uid, device, node))
                let nothing = try Stopwatch.milliseconds { try node.kubelet?.prepareNothing() }
                let prepare = try Stopwatch.milliseconds { _ = try node.kubelet?.prepare(namespace: "default", name: uid, uid: uid) }
                let unprepare = try Stopwatch.milliseconds { try node.kubelet?.unprepare(namespace: "default", name: uid, uid: uid) }
                try node.api.remove("resourceclaims/default", uid)
                guard round >= 0 else { continue }
                for (call, time) in [("nothing", nothing), ("prepare", prepare), ("unprepare", unprepare)] {
                    times["\(call) \(name)", default: []].append(time)
                }
            }
        }
        for (call, title) in [
            ("nothing", "  a call without a claim"), ("prepare", "NodePrepareResources"), ("unprepare", "NodeUnprepareResources"),
        ] {
            for (name, _, _) in nodes { table.add("\(title), 1 link, \(name)", times["\(call) \(name)"] ?? [], "ms") }
        }
    }

    private static let warmUp = 20

    private static func start(_ programs: String) throws -> (TestNode, String)? {
        guard let machine = try MachineDescription.embedded("hgx-a100")?.machine else { return nil }
        var options = TestNode.Options(programs: programs, machine: machine)
        // On a real node, the journal and the CDI folder are in /run, which is a tmpfs.
        if Files.exists("/dev/shm") { options.folder = "/dev/shm" }
        options.virtualNICs = "vnic"
        let node = try TestNode(options)
        try node.addInterfaces(1)
        try node.startInjector()
        try node.startNode()
        _ = try eventually { try node.api.hasWholePool() }
        let device = try node.api.slices().flatMap { $0.spec.devices ?? [] }.map(\.name).first { $0.contains("vnic") }
        return device.map { (node, $0) }
    }

    private static func claim(_ uid: String, _ device: String, _ node: TestNode) -> ResourceClaim {
        let result = AllocatedDevice(request: "nic", driver: node.options.driver, pool: node.options.node, device: device)
        return ResourceClaim(
            metadata: Metadata(name: uid, namespace: "default", uid: uid),
            status: ResourceClaimStatus(
                allocation: AllocationResult(devices: DeviceAllocation(results: [result])),
                reservedFor: [ConsumerReference(resource: "pods", name: uid, uid: uid)]))
    }
}
