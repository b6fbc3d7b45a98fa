// SPDX-License-Identifier: Apache-2.0

import ResourceAPI
import SliceModel
import Testing

/// The writes of a slice plan, against manually written slices.
struct SlicePlanTests {
    private static let owner = SliceOwner(driver: "dra.nearside", node: "node-1", nodeUID: "n1")
    private static let references = [OwnerReference(apiVersion: "v1", kind: "Node", name: "node-1", uid: "n1")]

    private static func devices(_ range: Range<Int>) -> [SliceDevice] {
        range.map { SliceDevice(name: "dev-\($0)", attributes: ["x": .int(0)]) }
    }

    /// A slice in the API server.
    private static func slice(
        _ name: String, _ range: Range<Int>, of count: Int64, generation: Int64 = 1, owners: [OwnerReference]? = references
    ) -> ResourceSlice {
        ResourceSlice(
            metadata: Metadata(name: name, ownerReferences: owners),
            spec: ResourceSliceSpec(
                driver: "dra.nearside", pool: ResourcePool(name: "node-1", generation: generation, resourceSliceCount: count),
                nodeName: "node-1", devices: devices(range)))
    }

    private static func plan(_ count: Int, _ stored: [ResourceSlice]) -> SlicePlan {
        SlicePlan(desired: SliceContents(devices: devices(0..<count)), stored: stored, owner: owner)
    }

    @Test
    func `a plan is empty only without a deletion, an update and a creation`() {
        let stored = Self.slice("00000-a", 0..<5, of: 1)
        #expect(Self.plan(5, [stored]).isEmpty)
        let deletion = Self.plan(5, [stored, Self.slice("00007-b", 0..<5, of: 1)])
        #expect(!deletion.isEmpty && deletion.deletions.map(\.metadata.name) == ["00007-b"] && deletion.updates.isEmpty)
        let update = Self.plan(4, [stored])
        #expect(!update.isEmpty && update.updates == [Self.slice("00000-a", 0..<4, of: 1)] && update.creations.isEmpty)
        let creation = Self.plan(5, [])
        #expect(!creation.isEmpty && creation.creations.count == 1 && creation.deletions.isEmpty && creation.updates.isEmpty)
    }

    @Test(arguments: [nil, [], [OwnerReference(apiVersion: "v1", kind: "Node", name: "node-1", uid: "n0")]] as [[OwnerReference]?])
    func `a slice that does not belong to this node object is updated to belong to it`(owners: [OwnerReference]?) {
        let plan = Self.plan(5, [Self.slice("00000-a", 0..<5, of: 1, owners: owners)])
        #expect(plan.updates == [Self.slice("00000-a", 0..<5, of: 1)])
        #expect(plan.deletions.isEmpty && plan.creations.isEmpty)
    }

    @Test
    func `a missing owner and a changed slice are two changes, which need a new generation`() {
        let stored = [Self.slice("00000-a", 0..<128, of: 2, owners: nil), Self.slice("00001-b", 128..<200, of: 2)]
        #expect(
            Self.plan(199, stored).updates == [
                Self.slice("00000-a", 0..<128, of: 2, generation: 2), Self.slice("00001-b", 128..<199, of: 2, generation: 2),
            ])
        // A single change needs no new generation.
        #expect(Self.plan(200, stored).updates == [Self.slice("00000-a", 0..<128, of: 2)])
    }

    @Test
    func `a count of slices that is wrong in all slices is corrected in a new generation`() {
        let stored = [Self.slice("00000-a", 0..<128, of: 3), Self.slice("00001-b", 128..<200, of: 3)]
        #expect(
            Self.plan(200, stored).updates == [
                Self.slice("00000-a", 0..<128, of: 2, generation: 2), Self.slice("00001-b", 128..<200, of: 2, generation: 2),
            ])
    }

    @Test
    func `an index has at least five digits, and the first by name of two slices with the same index stays`() {
        let plan = Self.plan(
            5, [Self.slice("0000-a", 0..<5, of: 1), Self.slice("00000-b", 0..<5, of: 1), Self.slice("00000-a", 0..<5, of: 1)])
        #expect(Set(plan.deletions.compactMap(\.metadata.name)) == ["0000-a", "00000-b"])
        #expect(plan.updates.isEmpty && plan.creations.isEmpty)
    }

    @Test
    func `an index is hexadecimal`() {
        let stored = (0..<17).map { index in
            Self.slice("000\(index < 16 ? "0" : "")\(String(index, radix: 16))-a", index * 128..<(index + 1) * 128, of: 17)
        }
        #expect(stored[10].metadata.name == "0000a-a" && stored[16].metadata.name == "00010-a")
        #expect(Self.plan(17 * 128, stored).isEmpty)
        #expect(Self.plan(17 * 128, []).creations[16].metadata.generateName == "00010-dra.nearside-node-1-")
    }

    @Test
    func `a slice with a superfluous index is deleted, and the others have the new count`() {
        let stored = [Self.slice("00000-a", 0..<128, of: 2), Self.slice("00001-b", 128..<200, of: 2)]
        let plan = Self.plan(128, stored)
        #expect(plan.deletions == [stored[1]] && plan.updates == [Self.slice("00000-a", 0..<128, of: 1)])
    }

    @Test
    func `an unchanged taint keeps the server's time, and a new taint has no time`() {
        let (old, new) = (DeviceTaint(key: "a/down", effect: .noSchedule), DeviceTaint(key: "a/lost", effect: .noSchedule))
        var stored = Self.slice("00000-a", 0..<2, of: 1)
        var seen = old
        seen.timeAdded = "2026-01-01T00:00:00Z"
        stored.spec.devices?[0].taints = [seen]
        var desired = Self.devices(0..<2)
        desired[0].taints = [old]
        #expect(SlicePlan(desired: SliceContents(devices: desired), stored: [stored], owner: Self.owner).isEmpty)
        desired[0].taints = [old, new]
        desired[1].taints = [old]
        let plan = SlicePlan(desired: SliceContents(devices: desired), stored: [stored], owner: Self.owner)
        #expect(plan.updates.first?.spec.devices?[0].taints?.map(\.timeAdded) == ["2026-01-01T00:00:00Z", nil])
        #expect(plan.updates.first?.spec.devices?[1].taints?.map(\.timeAdded) == [nil])
    }
}
