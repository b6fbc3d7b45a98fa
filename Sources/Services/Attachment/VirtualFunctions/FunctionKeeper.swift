// SPDX-License-Identifier: Apache-2.0

package import Linux
package import Logging
import ResourceAPI

/// Reconciles the numbers of virtual functions with an operator's rules.
///
/// The number of a physical function does not change while a plan or a state has the function or one of its virtual functions.
///
/// ## Concurrency model
/// Used by one thread. A change can take seconds in the kernel; it runs on another thread, one change at a time.
package final class FunctionKeeper {
    private let rules: [FunctionRule]
    private let sysfs: String
    private let log: Logger
    /// A change in progress; its other end is closed when the change ends.
    private var change: Descriptor?
    /// Rules that cannot be applied, which are logged once.
    private var warnings: Set<Warning> = []
    /// Devices that claims had at the last update.
    private var lastInUse: Set<String>?

    /// A rule that cannot be applied now.
    private struct Warning: Hashable {
        var device: String
        var count: Int
        var reason: String
    }

    package init(_ rules: [FunctionRule], sysfs: String, log: Logger) {
        self.rules = rules
        self.sysfs = sysfs
        self.log = log
    }

    /// Becomes readable when a change ends.
    package var descriptor: Descriptor? { change }

    /// Compares the physical functions with the rules, and begins a change if one differs.
    ///
    /// - Parameters:
    ///   - inUse: names of devices that claims have.
    ///   - isChange: true if devices were added or removed since the last call.
    package func update(inUse: Set<String>, isChange: Bool) {
        if let change {
            if isChange { lastInUse = nil }
            guard (try? Poller.readable([change], until: .now))?.isEmpty == false else { return }
            self.change = nil
            lastInUse = nil
        }
        guard isChange || inUse != lastInUse else { return }
        lastInUse = inUse
        var found: Set<Warning> = []
        for function in PhysicalFunction.all(sysfs: sysfs) {
            let names = [function.address] + function.interfaces
            guard let rule = rules.last(where: { $0.matches(names) }), rule.count != function.enabled else { continue }
            let label = function.interfaces.first ?? function.address
            if let reason = Self.obstacle(to: rule.count, of: function, inUse: inUse) {
                found.insert(Warning(device: label, count: rule.count, reason: reason))
            } else if change == nil {
                begin(function, rule.count, label)
            }
        }
        for warning in found.subtracting(warnings) {
            log.warning(
                "number of virtual functions not changed",
                metadata: ["device": "\(warning.device)", "count": "\(warning.count)", "reason": "\(warning.reason)"])
        }
        warnings = found
    }

    /// The reason why a physical function cannot have this number of virtual functions now; nil if it can.
    private static func obstacle(to count: Int, of function: PhysicalFunction, inUse: Set<String>) -> String? {
        if count > function.total { return "the function supports at most \(function.total)" }
        if let held = function.virtual.first(where: { inUse.contains(Limits.deviceName(ofPCIFunction: $0)) }) {
            return "a claim has \(held), one of the function's \(function.enabled)"
        }
        return function.enabled == 0 && inUse.contains(Limits.deviceName(ofPCIFunction: function.address)) ? "a claim has the device" : nil
    }

    private func begin(_ function: PhysicalFunction, _ count: Int, _ label: String) {
        do throws(SystemError) {
            let (own, other) = try UnixSocket.pair()
            change = own
            try KernelThread.start { [log] in
                do throws(SystemError) {
                    try function.set(count)
                    log.notice(
                        "number of virtual functions changed",
                        metadata: ["device": "\(label)", "count": "\(count)", "before": "\(function.enabled)"])
                } catch {
                    log.error(
                        "changing the number of virtual functions failed", metadata: ["device": "\(label)", "error": "\(error)"])
                }
                withExtendedLifetime(other) {}
            }
        } catch {
            change = nil
            log.error("changing the number of virtual functions failed", metadata: ["device": "\(label)", "error": "\(error)"])
        }
    }
}
