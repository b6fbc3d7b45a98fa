// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Testing

/// Recorded texts of sysfs files.
struct SysfsSettingsTests {
    @Test(arguments: [
        ("0\n", "0"), ("20000\n", "20000"), ("00000000,00000000\n", "0"), ("00000000,00000001\n", "1"),
        ("80000000,00000000\n", "80000000,00000000"), ("ff\nee\n", "ff"),
    ])
    func `a value is the first line without leading zeros`(text: String, value: String) {
        #expect(SysfsSettings.value(of: text) == value)
    }

    @Test(arguments: ["", "\n", "max\n", "-1\n", "../x\n", String(repeating: "1", count: 2305)])
    func `a text that is neither a number nor a mask is not recorded`(text: String) {
        #expect(SysfsSettings.value(of: text) == nil)
    }

    @Test
    func `consecutive queues with one value are one entry, and only differences are restored`() {
        var record = SysfsSettings()
        record.append(.threaded, queue: 0, "0")
        for queue in 0..<4 { record.append(.receiveCPUs, queue: queue, "f") }
        for queue in 0..<2 { record.append(.transmitCPUs, queue: queue, "\(queue + 1)") }
        #expect(record.entries.map(\.count) == [1, 4, 1, 1])
        var now = SysfsSettings()
        now.append(.threaded, queue: 0, "1")
        // One queue fewer than before: its file does not exist.
        for queue in 0..<3 { now.append(.receiveCPUs, queue: queue, queue == 2 ? "0" : "f") }
        for queue in 0..<2 { now.append(.transmitCPUs, queue: queue, "2") }
        let changes = record.differences(from: now)
        #expect(changes.map(\.path) == ["queues/rx-2/rps_cpus", "queues/tx-0/xps_cpus", "threaded"])
        #expect(changes.map(\.value) == ["f", "1", "0"])
        #expect(record.differences(from: record).isEmpty)
    }
}
