// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Primitives
package import Linux
package import NetworkModel

/// Reads and restores the ``DriverSettings`` of one interface.
///
/// A part that the driver lacks costs one call. Everything that a driver reports is bounded by ``DriverSettings/Limit``.
package struct DriverCalls {
    let interface: String
    /// Calls ioctl(2) with these bytes, which the call can change. Returns 0 or an errno.
    let call: (_ request: UInt, _ bytes: inout [UInt8]) -> Int32

    package init(interface: String, call: @escaping (_ request: UInt, _ bytes: inout [UInt8]) -> Int32) {
        self.interface = interface
        self.call = call
    }

    /// Requests of linux/sockios.h.
    package enum Request {
        package static let ethtool: UInt = 0x8946
        package static let setTimestamping: UInt = 0x89b0
        package static let getTimestamping: UInt = 0x89b1
    }

    /// Errors that mean that the driver lacks a part, or does not report it while the interface is down or busy.
    private static let absent: Set<Int32> = [EOPNOTSUPP, EINVAL, ENOTTY, ENODEV, ENETDOWN, EBUSY, EPERM]

    private func checked(_ operation: String, _ bytes: inout [UInt8], _ request: UInt = Request.ethtool) throws(SystemError) {
        let code = call(request, &bytes)
        if code != 0 { throw SystemError(operation, interface, code: code) }
    }

    /// True if the driver has answered; false if it lacks the part.
    private func asked(_ operation: String, _ bytes: inout [UInt8], _ request: UInt = Request.ethtool) throws(SystemError) -> Bool {
        let code = call(request, &bytes)
        if Self.absent.contains(code) { return false }
        if code != 0 { throw SystemError(operation, interface, code: code) }
        return true
    }

    // MARK: Reading

    /// - Throws: an error if the driver fails, or reports more than ``DriverSettings/Limit``.
    package func settings() throws(SystemError) -> DriverSettings {
        var settings = DriverSettings()
        if let (rules, choosesLocations) = try rules() { (settings.rules, settings.choosesLocations) = (rules, choosesLocations) }
        settings.hashFields = try hashFields()
        settings.contexts = try contexts()
        var timestamping = [UInt8](repeating: 0, count: 12)
        if try asked("read hardware timestamping of", &timestamping, Request.getTimestamping) {
            settings.timestamping = HexBytes(timestamping)
        }
        return settings
    }

    private func rules() throws(SystemError) -> (rules: [FlowRule], choosesLocations: Bool)? {
        var count = FlowCall(ETHTOOL_GRXCLSRLCNT)
        guard try asked("count n-tuple rules of", &count.bytes) else { return nil }
        let total = Int(count.count)
        guard total <= DriverSettings.Limit.rules else { throw SystemError("list \(total) n-tuple rules", interface, code: E2BIG) }
        guard total > 0 else { return ([], count.choosesLocations) }
        var list = FlowCall(ETHTOOL_GRXCLSRLALL, locations: total)
        list.count = UInt32(total)
        try checked("list n-tuple rules", &list.bytes)
        var rules: [FlowRule] = []
        for location in list.locations(atMost: total).sorted() {
            var read = FlowCall(ETHTOOL_GRXCLSRULE)
            read.location = location
            try checked("read n-tuple rule \(location)", &read.bytes)
            if var rule = read.rule {
                rule.location = location
                rules.append(rule)
            }
        }
        return (rules, count.choosesLocations)
    }

    private func hashFields() throws(SystemError) -> [HashFields] {
        var all: [HashFields] = []
        for flow in HashFields.flows {
            var read = FlowCall(ETHTOOL_GRXFH)
            read.flow = flow
            let hasFields = try asked("read RSS hash fields of", &read.bytes)
            if hasFields { all.append(HashFields(flow: flow, fields: read.data)) }
            // A driver without fields for TCP has none for other flows.
            if !hasFields, flow == HashFields.flows[0] { break }
        }
        return all
    }

    private func contexts() throws(SystemError) -> [RSSContext]? {
        guard let own = try context(0) else { return nil }
        var all = [own]
        for number in 1...DriverSettings.Limit.contexts {
            var probe = SpreadingCall(ETHTOOL_GRSSH, number)
            let code = call(Request.ethtool, &probe.bytes)
            if code == EOPNOTSUPP { break }
            if code == 0, let found = try context(number, probe) { all.append(found) }
        }
        return all
    }

    private func context(_ number: UInt32) throws(SystemError) -> RSSContext? {
        var probe = SpreadingCall(ETHTOOL_GRSSH, number)
        return try asked("read RSS of", &probe.bytes) ? try context(number, probe) : nil
    }

    /// - Parameter probe: the answer with the sizes.
    private func context(_ number: UInt32, _ probe: SpreadingCall) throws(SystemError) -> RSSContext? {
        let (entries, keyBytes) = (Int(probe.tableSize), Int(probe.keySize))
        guard entries <= DriverSettings.Limit.tableEntries, keyBytes <= DriverSettings.Limit.keyBytes else {
            throw SystemError("read a table of \(entries) entries and a key of \(keyBytes) bytes for RSS", interface, code: E2BIG)
        }
        var read = SpreadingCall(ETHTOOL_GRSSH, number, entries: entries, keyBytes: keyBytes)
        try checked("read RSS context \(number)", &read.bytes)
        return read.context(entries: entries, keyBytes: keyBytes)
    }

    // MARK: Restoring

    /// Sets the parts that differ from the record, as far as the driver accepts them, before other settings of the driver are restored.
    package func prepare(_ record: DriverSettings) throws(SystemError) {
        let now = try settings()
        let parts = now.differences(from: record)
        _ = apply(record, parts, now, isFinal: false)
    }

    /// Sets the parts that differ from the record, and reads them again.
    ///
    /// - Returns: the parts that still differ, each with the first refusal.
    package func restore(_ record: DriverSettings) throws(SystemError) -> [String] {
        var refusals: [DriverSettings.Part: String] = [:]
        var parts: [DriverSettings.Part] = []
        // A part can be refused because of another part, so that several attempts are made.
        for attempt in 0...2 {
            let now = try settings()
            parts = now.differences(from: record)
            if parts.isEmpty || attempt == 2 { break }
            refusals = apply(record, parts, now, isFinal: true)
        }
        return parts.map { part in "\(part): \(refusals[part] ?? "the driver did not accept them")" }
    }

    private func apply(
        _ record: DriverSettings, _ parts: [DriverSettings.Part], _ now: DriverSettings, isFinal: Bool
    ) -> [DriverSettings.Part: String] {
        var refusals: [DriverSettings.Part: String] = [:]
        func attempt(_ part: DriverSettings.Part, _ operation: String, _ bytes: [UInt8], _ request: UInt = Request.ethtool) -> [UInt8]? {
            var bytes = bytes
            let code = call(request, &bytes)
            if code == 0 { return bytes }
            if refusals[part] == nil { refusals[part] = "cannot \(operation): \(SystemError.text(of: code))" }
            return nil
        }
        // Rules are deleted before the contexts that they refer to, and inserted after them.
        for rule in parts.contains(.rules) ? record.foreign(in: now.rules ?? []) : [] {
            var delete = FlowCall(ETHTOOL_SRXCLSRLDEL)
            delete.location = rule.location
            _ = attempt(.rules, "delete rule \(rule.location)", delete.bytes)
        }
        if parts.contains(.contexts), let before = record.contexts {
            restore(before, now.contexts ?? [], isFinal) { attempt(.contexts, $0, $1) }
        }
        for entry in parts.contains(.hashFields) ? record.hashFieldsMissing(from: now.hashFields) : [] {
            var set = FlowCall(ETHTOOL_SRXFH)
            (set.flow, set.data) = (entry.flow, entry.fields)
            _ = attempt(.hashFields, "set the fields of flow type \(entry.flow)", set.bytes)
        }
        for var rule in parts.contains(.rules) ? record.missing(from: now.rules ?? []) : [] {
            var insert = FlowCall(ETHTOOL_SRXCLSRLINS)
            let location = rule.location
            if record.choosesLocations { rule.location = UInt32.max }  // RX_CLS_LOC_ANY
            insert.rule = rule
            _ = attempt(.rules, "insert rule \(location)", insert.bytes)
        }
        if parts.contains(.timestamping), let timestamping = record.timestamping {
            _ = attempt(.timestamping, "set it", timestamping.bytes, Request.setTimestamping)
        }
        return refusals
    }

    private func restore(
        _ record: [RSSContext], _ now: [RSSContext], _ isFinal: Bool, _ attempt: (_ operation: String, _ bytes: [UInt8]) -> [UInt8]?
    ) {
        for context in now where !record.contains(where: { $0.number == context.number }) {
            _ = attempt("delete RSS context \(context.number)", SpreadingCall(ETHTOOL_SRSSH, context.number).bytes)
        }
        for context in record {
            let current = now.first { $0.number == context.number }
            if current == context { continue }
            if current == nil {
                // The driver chooses the number.
                let new = SpreadingCall(setting: context, unlike: nil, number: UInt32.max)  // ETH_RXFH_CONTEXT_ALLOC
                let answer = attempt("recreate RSS context \(context.number)", new.bytes).map(SpreadingCall.init(bytes:))
                if let answer, answer.number != context.number {
                    _ = attempt("delete RSS context \(answer.number)", SpreadingCall(ETHTOOL_SRSSH, answer.number).bytes)
                }
                continue
            }
            var set = SpreadingCall(setting: context, unlike: current, number: context.number)
            if context.number == 0, context.queues != nil, current?.table != context.table {
                // The kernel remembers if a table was set; therefore the driver's default table is requested.
                set = SpreadingCall(setting: context, unlike: current, number: 0, hasDefaultTable: true)
                let isTaken = attempt("set the default table", set.bytes) != nil
                let table = isTaken ? (try? self.context(0))??.table : nil
                if table == context.table || !isFinal { continue }
                set = SpreadingCall(setting: context, unlike: current, number: 0)
            }
            _ = attempt("set RSS context \(context.number)", set.bytes)
        }
    }
}

/// A socket for calls to drivers of interfaces.
package struct DriverSocket {
    private let socket: Descriptor

    /// Opens a socket in the calling thread's namespace.
    package init() throws(SystemError) {
        socket = Descriptor(
            owning: try Linux.checked("open", "socket") {
                Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    /// The version of the firmware, which no netlink family provides for all drivers; nil if the driver does not report it.
    package func firmwareVersion(of interface: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 32)
        // SAFETY: the call writes 32 bytes.
        guard unsafe CLinux_firmware_version(socket.raw, interface, &buffer) == 0 else { return nil }
        let text = String(zeroTerminated: buffer)
        return text.isEmpty || text == "N/A" ? nil : text
    }

    /// Calls to the driver of an interface in the socket's namespace.
    package func calls(to interface: String) -> DriverCalls {
        DriverCalls(interface: interface) { [socket] request, bytes in
            // SAFETY: callers lay out the bytes for the request, whose size the kernel reads from them.
            while unsafe CLinux_interface_call(socket.raw, request, interface, &bytes) != 0 {
                let code = Glibc.errno
                if code != EINTR { return code }
            }
            return 0
        }
    }
}
