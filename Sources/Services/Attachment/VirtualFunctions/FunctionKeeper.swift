// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
package import Linux
package import Logging

/// Keeps virtual functions as many as an operator wishes.
///
/// What a claim has is not touched: as long as one function of a physical one is in a plan or a state, its number stays as it is.
///
/// ## Concurrency model
/// Used by one thread. The kernel may take seconds for a change, which is made on a thread of its own; until it is done, no other is begun.
package final class FunctionKeeper {
    private let rules: [FunctionRule]
    private let sysfs: String
    private let log: Logger
    /// A change that is under way: its other end is closed when it is done.
    private var change: Descriptor?
    /// What was wished and could not be had: said once.
    private var remarks: Set<String> = []
    /// What claims had when it was last looked.
    private var lastInUse: Set<String>?

    package init(_ rules: [FunctionRule], sysfs: String, log: Logger) {
        self.rules = rules
        self.sysfs = sysfs
        self.log = log
    }

    /// Can be read when a change is done.
    package var descriptor: Descriptor? { change }

    /// Looks whether all is as wished, and begins with what is not.
    ///
    /// - Parameters:
    ///   - inUse: names of devices that claims have.
    ///   - isNews: whether devices have come or gone since it was last looked.
    package func keep(inUse: Set<String>, isNews: Bool) {
        if let change {
            if isNews { lastInUse = nil }
            guard (try? Poller.readable([change], milliseconds: 0))?.isEmpty == false else { return }
            self.change = nil
            lastInUse = nil
        }
        guard isNews || inUse != lastInUse else { return }
        lastInUse = inUse
        var found: Set<String> = []
        for function in PhysicalFunction.all(sysfs: sysfs) {
            let names = [function.address] + function.interfaces
            guard let rule = rules.last(where: { $0.matches(names) }), rule.count != function.enabled else { continue }
            let label = function.interfaces.first ?? function.address
            if rule.count > function.total {
                found.insert("\(label) can have \(function.total) virtual functions, and \(rule.count) are wished")
            } else if let held = function.virtual.first(where: { inUse.contains(PhysicalFunction.deviceName($0)) }) {
                found.insert(
                    "\(label) has \(function.enabled) virtual functions, and \(rule.count) when no claim has one: \(held) is in use")
            } else if function.enabled == 0, inUse.contains(PhysicalFunction.deviceName(function.address)) {
                found.insert("\(label) gets \(rule.count) virtual functions when no claim has it")
            } else if change == nil {
                begin(function, rule.count, label)
            }
        }
        for remark in found where !remarks.contains(remark) { log.warning("\(remark)") }
        remarks = found
    }

    private func begin(_ function: PhysicalFunction, _ count: Int, _ label: String) {
        do throws(SystemError) {
            let (own, its) = try UnixSocket.pair()
            change = own
            try KernelThread.start { [log] in
                do throws(SystemError) {
                    try function.set(count)
                    log.notice("virtual functions", metadata: ["device": "\(label)", "count": "\(count)", "before": "\(function.enabled)"])
                } catch { log.error("virtual functions cannot be changed", metadata: ["device": "\(label)", "error": "\(error)"]) }
                withExtendedLifetime(its) {}
            }
        } catch {
            change = nil
            log.error("virtual functions cannot be changed", metadata: ["device": "\(label)", "error": "\(error)"])
        }
    }
}
