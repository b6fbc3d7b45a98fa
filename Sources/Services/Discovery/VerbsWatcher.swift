// SPDX-License-Identifier: Apache-2.0

import Linux
import Logging
import Primitives

/// Keeps RDMA devices open, and reads their events. Used by one thread.
final class VerbsWatcher {
    private let verbs: Verbs?
    private let log: Logger
    private var devices: [(device: VerbsDevice, descriptor: Descriptor)] = []
    private var refused: Set<String> = []

    init(log: Logger) {
        self.log = log
        do throws(InputError) { verbs = try Verbs() } catch {
            log.notice("events of RDMA devices are not watched", metadata: ["reason": "\(error)"])
            verbs = nil
        }
        reopen()
    }

    /// Become readable after an event of a device.
    var descriptors: [Descriptor] { devices.map(\.descriptor) }

    /// Opens the present devices.
    func reopen() {
        guard let verbs else { return }
        // Each device is opened again, and replaces its former instance. Pending events are lost, but the next snapshot is due anyway.
        devices = verbs.open().compactMap { device in
            if let refusal = device.refusal {
                if refused.insert(device.name).inserted {
                    log.info(
                        "RDMA device not opened; its events are not watched",
                        metadata: ["device": "\(device.name)", "reason": "\(refusal)"])
                }
                return nil
            }
            return device.eventDescriptor().map { (device, $0) }
        }
    }

    /// Reads all pending events. Closes removed devices.
    func events() -> [VerbsEvent] {
        var events: [VerbsEvent] = []
        devices.removeAll { device, _ in
            while true {
                switch device.nextEvent() {
                case .event(let event):
                    log.notice("RDMA event", metadata: ["event": "\(event)"])
                    events.append(event)
                    if event.kind == .deviceFatal { return true }
                case .none: return false
                case .gone: return true
                }
            }
        }
        return events
    }
}
