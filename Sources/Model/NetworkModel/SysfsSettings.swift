// SPDX-License-Identifier: Apache-2.0

/// Settings of an interface that only sysfs provides, and that survive a change of network namespace.
///
/// Source: Documentation/ABI/testing/sysfs-class-net and sysfs-class-net-queues of the kernel.
package struct SysfsSettings: Hashable, Sendable, Codable {
    /// The values, sorted by file and first queue.
    package var entries: [Entry]

    package init(entries: [Entry] = []) { self.entries = entries }

    /// A file in the interface's folder.
    package enum File: String, Hashable, Sendable, Codable, CaseIterable {
        case threaded
        case flushTimeout = "gro_flush_timeout"
        case deferredInterrupts = "napi_defer_hard_irqs"
        case receiveCPUs = "rps_cpus"
        case receiveFlows = "rps_flow_cnt"
        case transmitCPUs = "xps_cpus"
        case transmitQueues = "xps_rxqs"
        case maximalRate = "tx_maxrate"
        case queueMaximum = "byte_queue_limits/limit_max"
        case queueMinimum = "byte_queue_limits/limit_min"
        case queueHoldTime = "byte_queue_limits/hold_time"

        package static let ofInterface: [File] = [.threaded, .flushTimeout, .deferredInterrupts]
        package static let ofReceiveQueues: [File] = [.receiveCPUs, .receiveFlows]
        /// Files that exist only for interfaces with several queues.
        package static let ofSeveralQueues: [File] = [.transmitCPUs, .transmitQueues]
        /// Files that need support by the driver.
        package static let ofHardware: [File] = [.maximalRate, .queueMaximum, .queueMinimum, .queueHoldTime]

        /// The path relative to the interface's folder.
        ///
        /// - Parameter queue: the number of a queue; ignored for a file of the interface itself.
        package func path(queue: Int) -> String {
            if Self.ofInterface.contains(self) { return rawValue }
            return "queues/\(Self.ofReceiveQueues.contains(self) ? "rx" : "tx")-\(queue)/\(rawValue)"
        }
    }

    /// The value of a file for consecutive queues. A file of the interface itself counts as one queue with number 0.
    package struct Entry: Hashable, Sendable, Codable {
        package var file: File
        package var queue: Int
        package var count: Int
        /// A decimal number, or a mask in hexadecimal digits with commas; without leading zeros.
        package var value: String

        package init(file: File, queue: Int, count: Int, value: String) {
            (self.file, self.queue, self.count, self.value) = (file, queue, count, value)
        }
    }

    /// Limits of the record. An interface has at most 4096 queues; a mask of 8192 processors has 2303 characters.
    package enum Limit {
        package static let queues = 4096
        package static let valueBytes = 2304
        /// The limit of all values together in bytes.
        package static let bytes = 128 << 10
    }

    /// True for a valid recorded value. Only valid values are written to files.
    package static func isValue(_ text: String) -> Bool {
        (1...Limit.valueBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
                    || byte == UInt8(ascii: ",")
            }
    }

    /// The value in a file's text: its first line without leading zeros; nil if it is not a number.
    package static func value(of text: some StringProtocol) -> String? {
        guard let line = text.split(separator: "\n").first, isValue(String(line)) else { return nil }
        let value = line.drop { $0 == "0" || $0 == "," }
        return value.isEmpty ? "0" : String(value)
    }

    /// Appends the value of a queue, after those of lower numbers.
    package mutating func append(_ file: File, queue: Int, _ value: String) {
        if let last = entries.indices.last, entries[last].file == file, entries[last].value == value,
            entries[last].queue + entries[last].count == queue
        {
            entries[last].count += 1
        } else {
            entries.append(Entry(file: file, queue: queue, count: 1, value: value))
        }
    }

    /// The bytes of all values.
    package var bytes: Int { entries.reduce(0) { $0 + $1.value.utf8.count } }

    /// Values by path relative to the interface's folder.
    private var values: [String: String] {
        var values: [String: String] = [:]
        for entry in entries {
            for queue in entry.queue..<entry.queue + entry.count { values[entry.file.path(queue: queue)] = entry.value }
        }
        return values
    }

    /// The recorded values that differ now, sorted by path relative to the interface's folder. Ignores files that do not exist now.
    package func differences(from now: SysfsSettings) -> [(path: String, value: String)] {
        let current = now.values
        return values.filter { current[$0.key] != nil && current[$0.key] != $0.value }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
