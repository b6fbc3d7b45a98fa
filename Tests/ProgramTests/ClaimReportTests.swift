// SPDX-License-Identifier: Apache-2.0

import ResourceAPI
import Testbed
import Testing

/// Reports about a claim: in its own status, and by events.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct ClaimReportTests {
    /// This driver's entries in the claim's status.
    private func status(_ node: TestNode, _ name: String) throws -> [AllocatedDeviceStatus] {
        try node.api.claim(name).status?.devices ?? []
    }

    @Test
    func `the status of a claim has its devices, and none after the release`() throws {
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
    func `a claim that cannot be prepared has all its problems in its status and in an event`() throws {
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
        #expect(try eventually { try status(node, "bad").first?.conditions?.first?.reason == "ClaimInvalid" })
        #expect(try status(node, "bad").first?.conditions?.first?.message.contains("interface.nam") == true)
        #expect(try eventually { try node.api.events().contains { $0.reason == "ClaimInvalid" && $0.involvedObject.name == "bad" } })
        #expect(try node.api.events().count { $0.reason == "ClaimInvalid" } == 1, "a repeated request writes no event")
    }
}
