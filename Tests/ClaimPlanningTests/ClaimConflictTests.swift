// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Hardware
import JournalModel
import ResourceAPI
import Testing

/// Conflicts between claims, and allocations that a node cannot fulfil, by the codes of their problems.
struct ClaimConflictTests {
    private static let nic = ClaimPlannerTests.nic
    private static let second = ClaimPlannerTests.secondNIC

    private static func claim(_ uid: String, _ device: String, _ json: String = "{}", pods: [String] = ["p1"]) throws -> ResourceClaim {
        ClaimPlannerTests.claim([("nic", device)], config: [try ClaimPlannerTests.config(json, .fromClass)], uid: uid, pods: pods)
    }

    private static func problems(_ claim: ResourceClaim, _ planner: ClaimPlanner, others: [ClaimPlan] = []) -> [PlanProblem] {
        do throws(ClaimError) { _ = try planner.plan(claim, others: others) } catch { return error.problems }
        return []
    }

    private static func vrf(_ name: String, _ table: Int, interface: String = "net1") -> String {
        #"{"interface":{"name":"\#(interface)","vrf":{"name":"\#(name)","table":\#(table)}}}"#
    }

    @Test
    func `a device of another pool does not hide the problems of later devices`() throws {
        var planner = try ClaimPlannerTests.planner()
        planner.input.options.pool = "node"
        var claim = ClaimPlannerTests.claim([("nic", ClaimPlannerTests.nic), ("gpu", "pci-dead")])
        claim.status?.allocation?.devices.results?[0].pool = "node-2"
        let error = #expect(throws: ClaimError.self) { try planner.plan(claim, others: []) }
        #expect(error?.problems.map(\.code) == [.otherPool, .deviceMissing])
    }

    @Test(arguments: [
        (vrf("red", 5), vrf("red", 5, interface: "net2"), nil),
        (vrf("red", 5), vrf("red", 6, interface: "net2"), PlanProblem.Code.vrfConflict),
        (vrf("red", 5), vrf("blue", 5, interface: "net2"), .vrfConflict), (vrf("red", 5), vrf("blue", 6, interface: "net2"), nil),
        (vrf("red", 5), #"{"interface":{"name":"net1"}}"#, .nameTaken), (#"{"interface":{"name":"red"}}"#, vrf("red", 5), .nameTaken),
        (#"{"interface":{"name":"net1"}}"#, #"{"interface":{"name":"net1"}}"#, .nameTaken),
    ])
    func `interfaces and VRFs of one pod conflict by names and tables, and those of two pods do not`(
        first: String, second: String, code: PlanProblem.Code?
    ) throws {
        let planner = try ClaimPlannerTests.planner()
        let held = try planner.plan(try Self.claim("u1", Self.nic, first), others: []).plan
        let found = Self.problems(try Self.claim("u2", Self.second, second), planner, others: [held])
        #expect(found.map(\.code) == (code.map { [$0] } ?? []), "\(found)")
        #expect(found.allSatisfy { $0.object == "device \(Self.second)" && $0.path != nil })
        #expect(Self.problems(try Self.claim("u2", Self.second, second, pods: ["p2"]), planner, others: [held]).isEmpty)
    }

    @Test
    func `two devices of one claim cannot have the same name, and their common problem is reported once`() throws {
        let planner = try ClaimPlannerTests.planner()
        let configs = ["a", "b"].map { request in
            AllocationConfig(
                source: .fromClaim, requests: [request],
                opaque: OpaqueConfig(
                    driver: ClaimPlannerTests.driver,
                    parameters: .object(["interface": .object(["name": .string("net1"), "mtu": .integer(request == "a" ? 1500 : 1501)])])))
        }
        let claim = ClaimPlannerTests.claim([("a", Self.nic), ("b", Self.second)], config: configs)
        #expect(Self.problems(claim, planner).map(\.code) == [.nameTaken])
        let same = ClaimPlannerTests.claim(
            [("nic", Self.nic), ("nic", Self.second)], config: [try ClaimPlannerTests.config(#"{"interface":{"mtu":9999}}"#, .fromClass)])
        var bounded = planner
        for name in [Self.nic, Self.second] {
            bounded.input.devices[name]?.netdevs[0].name = "nic"
            bounded.input.devices[name]?.netdevs[0].maximalMTU = 9000
        }
        #expect(Self.problems(same, bounded).filter { $0.code == .mtu }.count == 1)
    }

    @Test
    func `a device of another pool, a missing device and a device without its interface are refused`() throws {
        var planner = try ClaimPlannerTests.planner()
        planner.input.options.pool = "another"
        #expect(Self.problems(try Self.claim("u", Self.nic), planner).map(\.code) == [.otherPool])
        planner.input.options.pool = "node"
        #expect(Self.problems(try Self.claim("u", Self.nic), planner).isEmpty)
        planner.input.missingInterfaces[Self.nic] = .lost("ib0")
        #expect(Self.problems(try Self.claim("u", Self.nic), planner).map(\.code) == [.interfaceMissing])
        // A claim with admin access needs no interface.
        var monitoring = try Self.claim("u", Self.nic)
        monitoring.status?.allocation?.devices.results?[0].adminAccess = true
        #expect(Self.problems(monitoring, planner).isEmpty)
        planner.input.devices[Self.nic] = nil
        #expect(Self.problems(try Self.claim("u", Self.nic), planner).map(\.code) == [.interfaceMissing])
        planner.input.missingInterfaces = [:]
        #expect(Self.problems(try Self.claim("u", Self.nic), planner).map(\.code) == [.deviceMissing])
        let held = try ClaimPlannerTests.planner().plan(try Self.claim("u1", Self.second), others: []).plan
        monitoring.status?.allocation?.devices.results?[0].device = Self.second
        #expect(Self.problems(monitoring, try ClaimPlannerTests.planner(), others: [held]).isEmpty)
        #expect(
            Self.problems(try Self.claim("u2", Self.second, pods: ["p2"]), try ClaimPlannerTests.planner(), others: [held]).map(\.code) == [
                .deviceHeld
            ])
        var elsewhere = held
        elsewhere.devices[0].pool = "another"
        #expect(
            Self.problems(try Self.claim("u2", Self.second, pods: ["p2"]), try ClaimPlannerTests.planner(), others: [elsewhere]).isEmpty)
    }

    @Test
    func `an open claim keeps its pods, and any other claim has the pods of the cluster`() throws {
        let planner = try ClaimPlannerTests.planner()
        var claim = try Self.claim("u1", Self.nic, pods: ["p1"])
        var before = try planner.plan(claim, others: []).plan
        #expect(before.isOpen == true && before.pods == ["p1"])
        before.pods = ["p1", "p2"]
        #expect(try planner.plan(claim, others: [before]).plan.pods == ["p1", "p2"])
        claim.status?.reservedFor = [ConsumerReference(resource: "podgroups", name: "g", uid: "g")]
        #expect(try planner.plan(claim, others: [before]).plan.pods == ["p1", "p2"])
        claim.metadata.ownerReferences = [OwnerReference(apiVersion: "v1", kind: "Pod", name: "p", uid: "p1")]
        let closed = try planner.plan(claim, others: [before]).plan
        #expect(closed.isOpen == nil && closed.pods.isEmpty)
    }
}
