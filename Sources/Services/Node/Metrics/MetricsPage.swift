// SPDX-License-Identifier: Apache-2.0

import Topology
import SliceModel
import SlicePublisher
import Synchronization

/// Metrics in the text format of Prometheus (exposition format 0.0.4). Pure.
struct MetricsPage {
    private(set) var text = ""

    enum Kind: String {
        case counter, gauge, histogram
    }

    /// Adds one metric with all its samples.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: [(String, String)], value: Int)]) {
        guard !samples.isEmpty else { return }
        begin(name, kind, help)
        for sample in samples { add(name, sample.labels, "\(sample.value)") }
    }

    /// Adds one metric of durations, in seconds.
    private mutating func add(_ name: String, _ help: String, _ samples: [(labels: [(String, String)], histogram: CallTimes.Histogram)]) {
        guard !samples.isEmpty else { return }
        begin(name, .histogram, help)
        for (labels, histogram) in samples {
            for (bound, count) in zip(CallTimes.Histogram.bounds, histogram.counts) {
                add("\(name)_bucket", labels + [("le", "\(bound / .seconds(1))")], "\(count)")
            }
            add("\(name)_bucket", labels + [("le", "+Inf")], "\(histogram.total)")
            add("\(name)_sum", labels, "\(histogram.sum / .seconds(1))")
            add("\(name)_count", labels, "\(histogram.total)")
        }
    }

    private mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP nearside_\(name) \(help)\n# TYPE nearside_\(name) \(kind.rawValue)\n"
    }

    private mutating func add(_ name: String, _ labels: [(String, String)], _ value: String) {
        let labels = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        text += "nearside_\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)\n"
    }

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Int) { add(name, kind, help, [([], value)]) }

    private static func escaped(_ text: String) -> String {
        text.map { $0 == "\\" ? "\\\\" : $0 == "\"" ? "\\\"" : $0 == "\n" ? "\\n" : String($0) }.joined()
    }

    init(
        _ publisher: SlicePublisher.Statistics, _ inventory: InventoryStatistics, _ requests: [RequestCounts.Key: Int],
        _ calls: [CallTimes.Key: CallTimes.Histogram], orphans: Int = 0
    ) {
        add(
            "api_requests_total", .counter, "Requests to the API server; status 0 means no answer.",
            requests.sorted { ($0.key.method, $0.key.status) < ($1.key.method, $1.key.status) }.map {
                ([("method", $0.key.method), ("status", "\($0.key.status)")], $0.value)
            })
        add(
            "slice_writes_total", .counter, "Slices written.",
            [
                ([("verb", "create")], publisher.created), ([("verb", "update")], publisher.updated),
                ([("verb", "delete")], publisher.deleted),
            ])
        add("slice_write_failures_total", .counter, "Failed attempts to update the slices.", publisher.failures)
        add("slices", .gauge, "Slices at the API server.", publisher.slices)
        add("slices_current", .gauge, "1 while the API server has the desired slices of this node.", publisher.isCurrent ? 1 : 0)
        add("devices", .gauge, "Devices in the slices, pairs and sets included.", publisher.devices)
        add("devices_refused", .gauge, "Devices that the API server refuses.", publisher.refused)
        add(
            "cluster_feature_missing", .gauge, "1 if the cluster lacks this feature of the API, and the driver works without it.",
            ClusterFeature.allCases.map { ([("feature", $0.rawValue), ("gate", $0.gate)], publisher.missingFeatures.contains($0) ? 1 : 0) })
        add("pairs", .gauge, "Pairs of accelerators and NICs on this machine.", inventory.pairs)
        add("snapshots_total", .counter, "Snapshots of the machine.", inventory.snapshots)
        add("claims", .gauge, "Prepared claims.", inventory.claims)
        add("orphaned_claims_released_total", .counter, "Claims released because they were deleted from the cluster.", orphans)
        add(
            "claim_call_duration_seconds", "Duration of the kubelet's calls for a claim.",
            CallTimes.Call.allCases.flatMap { call in
                [true, false].compactMap { succeeded in
                    calls[CallTimes.Key(call: call, succeeded: succeeded)].map {
                        (labels: [("call", call.rawValue), ("outcome", succeeded ? "done" : "refused")], histogram: $0)
                    }
                }
            })
        add(
            "device_troubles", .gauge, "Devices with a condition.",
            DeviceCondition.allCases.map { condition in ([("trouble", condition.rawValue)], inventory.conditions[condition] ?? 0) })
    }
}

/// The figures of the inventory.
struct InventoryStatistics: Sendable {
    var snapshots = 0
    var pairs = 0
    var claims = 0
    var conditions: [DeviceCondition: Int] = [:]

    mutating func count(_ devices: NodeDevices, _ observation: HostObservation) {
        snapshots += 1
        pairs = devices.topology.pairing.pairs.count
        claims = observation.plans.count
        conditions = Dictionary(devices.health.findings.values.flatMap { $0 }.map { ($0.condition, 1) }, uniquingKeysWith: +)
    }
}

/// Counts requests to the API server by method and status.
final class RequestCounts: Sendable {
    struct Key: Hashable {
        var method: String
        var status: Int
    }

    private let counts = Mutex<[Key: Int]>([:])

    func note(_ method: String, _ status: Int) { counts.withLock { $0[Key(method: method, status: status), default: 0] += 1 } }
    var current: [Key: Int] { counts.withLock { $0 } }
}
