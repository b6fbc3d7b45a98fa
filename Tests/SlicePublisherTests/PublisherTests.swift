// SPDX-License-Identifier: Apache-2.0

import Kubernetes
import ResourceAPI
import SliceModel
import SlicePublisher
import Synchronization
import Testbed
import Testing

/// The writer of slices with every failure of an API server, a kubelet and a network. After each: exactly the
/// desired slices, and no further requests.
struct PublisherTests {
    private static let slices = "/apis/resource.k8s.io/v1/resourceslices"

    enum DeviceCondition: String, CaseIterable {
        case conflictOnCreate, conflictOnUpdate, tooMany, unavailable, noAnswer, cutConnection, cutWatches, goneWatch, goneList,
            refusedWatch
        case wiped, wipedTwice, changedByOthers, olderGeneration, otherForm, nodeUnknown, compacted
    }

    @Test(arguments: DeviceCondition.allCases)
    func `after any failure the desired slices are written, and then there are no further requests`(disturbance: DeviceCondition)
        async throws
    {
        let first = try Publication.devices()
        let second = try Publication.devices(mtu: 9000)
        try await Publication.run(prepare: { api in
            switch disturbance {
            case .conflictOnCreate: api.inject(.init("POST", Self.slices, code: 409, times: 2))
            case .tooMany:
                api.inject(.init("POST", Self.slices, code: 429, retryAfter: 1))
                api.inject(.init("GET", Self.slices, code: 429))
            case .unavailable: for method in ["GET", "POST", "WATCH"] { api.inject(.init(method, Self.slices, code: 503, times: 3)) }
            case .noAnswer: for method in ["GET", "POST"] { api.inject(.init(method, Self.slices, code: 0)) }
            case .cutConnection: for method in ["GET", "POST", "WATCH"] { api.inject(.init(method, Self.slices, code: -1, times: 2)) }
            case .nodeUnknown: api.inject(.init("GET", "/api/v1/nodes", code: 404, times: 2))
            case .refusedWatch: api.inject(.init("WATCH", Self.slices, code: 410, times: 2))
            default: break
            }
        }) { publication in
            let api = publication.api
            await publication.publisher.publish(first)
            #expect(try await publication.settles(first), "\(publication.lines.all)")
            switch disturbance {
            case .conflictOnUpdate: api.inject(.init("PUT", Self.slices, code: 409, times: 3))
            case .cutWatches: for _ in 0..<3 { api.cutWatches() }
            case .goneWatch, .compacted:
                api.inject(.init("WATCH", Self.slices, code: 500))
                api.compact()
                api.cutWatches()
            case .goneList:
                api.inject(.init("GET", Self.slices, code: 410))
                api.cutWatches()
                api.inject(.init("WATCH", Self.slices, code: 410))
            case .wiped: try api.deleteAllSlices()
            case .wipedTwice:
                try api.deleteAllSlices()
                #expect(try await publication.settles(first))
                try api.deleteAllSlices()
            case .changedByOthers:
                for var slice in try api.slices() {
                    if slice.spec.devices?.isEmpty == false { slice.spec.devices?.removeLast() }
                    slice.spec.pool.resourceSliceCount = 7
                    try api.replace(slice)
                }
            case .olderGeneration, .otherForm:
                var odd = try #require(try api.slices().first)
                odd.metadata = Metadata(
                    name: disturbance == .otherForm ? "node-1-dra.nearside-x" : "00000-old", ownerReferences: odd.metadata.ownerReferences)
                if disturbance == .olderGeneration { odd.spec.pool.generation = 0 }
                try api.add("resourceslices", odd)
            default: break
            }
            let isSettled = try await publication.settles(first)
            #expect(isSettled, "\(publication.lines.all) \(api.requests)")
            await publication.publisher.publish(second)
            #expect(try await publication.settles(second), "\(publication.lines.all)")
            #expect(try await publication.isSilent(), "\(api.requests.suffix(5))")
            #expect(await publication.publisher.current.isCurrent)
        }
    }

    @Test
    func `a hundred snapshots without a change cause no request, and a change of one device causes one`() async throws {
        let devices = try Publication.devices()
        try await Publication.run { publication in
            await publication.publisher.publish(devices)
            #expect(try await publication.settles(devices))
            // At the start: the node, the list, the watch, and a write for each slice.
            #expect(try await eventuallyTrue { publication.api.requests.contains { $0.hasSuffix("?watch") } })
            let count = try publication.api.slices().count
            #expect(publication.api.requests.count == 3 + count, "\(publication.api.requests) \(publication.lines.all)")
            let before = publication.api.requests.count
            for _ in 0..<100 { await publication.publisher.publish(try Publication.devices()) }
            #expect(try await publication.isSilent())
            #expect(publication.api.requests.count == before, "\(publication.api.requests) \(publication.lines.all)")
            let generation = try publication.api.slices().map(\.spec.pool.generation).max()
            let changed = try Publication.devices(mtu: 9000)
            await publication.publisher.publish(changed)
            #expect(try await publication.settles(changed))
            publication.api.sendBookmarks()
            #expect(try await publication.isSilent())
            #expect(publication.api.requests.count == before + 1, "\(publication.api.requests.suffix(4))")
            #expect(try publication.api.slices().map(\.spec.pool.generation).max() == generation)
        }
    }

    @Test(arguments: FeatureGate.allCases)
    func `a feature that a cluster drops is reported once, and tried again after the kubelet has deleted the slices`(gate: FeatureGate)
        async throws
    {
        let devices = try Publication.devices(down: true, shares: gate == .consumableCapacity ? 4 : nil)
        let lacking: ClusterFeature =
            switch gate {
            case .partitionableDevices: .counters
            case .deviceTaints: .taints
            case .consumableCapacity: .sharing
            }
        let kept = Mutex<Set<ClusterFeature>>([])
        try await Publication.run(keep: { lacks in kept.withLock { $0 = lacks } }, prepare: { $0.switchOff([gate]) }) { publication in
            await publication.publisher.publish(devices)
            #expect(try await publication.settles(devices, lacking: [lacking]), "\(publication.lines.all)")
            #expect(try await publication.isSilent())
            #expect(kept.withLock { $0 } == [lacking])
            #expect(
                publication.lines.all.count { $0.contains("cluster feature missing") && $0.contains("feature=\(lacking.rawValue)") } == 1,
                "\(publication.lines.all)")
            let current = await publication.publisher.current
            #expect(current.missingFeatures == [lacking] && current.isCurrent)
            // The cluster is upgraded.
            publication.api.switchOff([])
            try publication.api.deleteAllSlices()
            #expect(try await publication.settles(devices), "\(publication.lines.all)")
            #expect(kept.withLock { $0 }.isEmpty)
        }
    }

    @Test
    func `a refused device does not prevent publishing the others, and is written again after it has changed`() async throws {
        let good = try Publication.devices()
        try await Publication.run { publication in
            publication.api.inject(.init("POST", Self.slices, code: 422, times: 1))
            await publication.publisher.publish(good)
            // The slice with the counters, which an old server may refuse with its own message.
            let isSettled = try await publication.settles(good, lacking: [.counters])
            #expect(isSettled, "\(publication.lines.all)")
        }
        let bad = SliceDevices.damaged(good, device: 3)
        try await Publication.run { publication in
            await publication.publisher.publish(bad)
            #expect(try await eventuallyTrue { try publication.api.hasWholePool() })
            #expect(try await publication.isSilent())
            let published = Set(try publication.api.slices().flatMap { $0.spec.devices ?? [] }.map(\.name))
            let missing = Set(bad.whole.devices.map(\.name)).subtracting(published)
            #expect(missing.count == 1, "\(publication.lines.all)")
            #expect(publication.lines.all.contains { $0.contains("error device not published") && $0.contains("valid C identifier") })
            #expect(await publication.publisher.current.refused == 1)
            await publication.publisher.publish(good)
            #expect(try await publication.settles(good))
        }
    }

    @Test
    func `taints keep the time at which the server first saw them`() async throws {
        let down = try Publication.devices(down: true)
        try await Publication.run { publication in
            await publication.publisher.publish(down)
            #expect(try await publication.settles(down))
            func times() throws -> [String?] {
                try publication.api.slices().flatMap { $0.spec.devices ?? [] }.flatMap { $0.taints ?? [] }.map(\.timeAdded)
            }
            let before = try times()
            #expect(!before.isEmpty && before.allSatisfy { $0 != nil })
            let changed = try Publication.devices(mtu: 9000, down: true)
            await publication.publisher.publish(changed)
            #expect(try await publication.settles(changed))
            #expect(try times() == before)
        }
    }

    @Test(arguments: [ResourceAPIVersion.v1beta2, .v1beta1])
    func `an older cluster is written to in its own API version, and an upgrade is detected`(version: ResourceAPIVersion) async throws {
        let devices = try Publication.devices()
        try await Publication.run(prepare: { $0.serve(only: [version]) }) { publication in
            await publication.publisher.publish(devices)
            #expect(try await publication.settles(devices), "\(publication.lines.all)")
            #expect(publication.client.served == version)
            #expect(publication.api.requests.contains { $0.hasPrefix("POST /apis/resource.k8s.io/\(version.rawValue)/") })
            publication.api.serve(only: [.v1])
            publication.api.cutWatches()
            let changed = try Publication.devices(mtu: 9000)
            await publication.publisher.publish(changed)
            #expect(try await publication.settles(changed), "\(publication.lines.all)")
            #expect(publication.client.served == .v1)
        }
    }

    @Test
    func `repeated changes by another writer are reverted with increasing delays`() {
        var pace = RepairDelay()
        let start = ContinuousClock.now
        var now = start
        var delays: [Duration] = []
        for _ in 0..<10 {
            let delay = pace.next(at: now)
            delays.append(delay)
            now += delay + .seconds(1)
        }
        #expect(delays.prefix(4) == [.milliseconds(500), .seconds(1), .seconds(2), .seconds(4)])
        #expect(delays.last == .seconds(30))
        #expect(pace.next(at: now + .seconds(61)) == .milliseconds(500))
    }
}

extension SliceDevices {
    /// With an attribute that no server accepts, which normally never leaves the process.
    static func damaged(_ devices: SliceDevices, device index: Int) -> SliceDevices {
        var contents = devices.whole
        contents.devices[index].attributes?["no identifier"] = .bool(true)
        return SliceDevices(contents: contents, pairs: devices.pairs)
    }
}
