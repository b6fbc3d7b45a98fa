// SPDX-License-Identifier: Apache-2.0

import Linux
import Logging

/// Keeps all RDMA devices open that may be opened, and takes their events. For one thread.
final class VerbsWatcher {
    private let verbs: Verbs?
    private let log: Logger
    private var devices: [(device: VerbsDevice, descriptor: Descriptor)] = []
    private var refused: Set<String> = []

    init(log: Logger) {
        self.log = log
        do throws(Verbs.Unavailable) { verbs = try Verbs() } catch {
            log.notice("\(error)")
            verbs = nil
        }
        reopen()
    }

    /// Readable when one of the devices has an event.
    var descriptors: [Descriptor] { devices.map(\.descriptor) }

    /// Looks anew which devices there are.
    func reopen() {
        guard let verbs else { return }
        // An open device is listed again; the new one takes its place, and events that wait are not lost:
        // they are reasons to look, and there will be a look.
        devices = verbs.open().compactMap { device in
            if let refusal = device.refusal {
                if refused.insert(device.name).inserted {
                    log.info("\(device.name) may not be opened, so its events are not seen: \(refusal)")
                }
                return nil
            }
            return device.eventDescriptor().map { (device, $0) }
        }
    }

    /// All events that wait. A device that is gone is let go.
    func events() -> [VerbsEvent] {
        var events: [VerbsEvent] = []
        devices.removeAll { device, _ in
            while true {
                switch device.nextEvent() {
                case .event(let event):
                    log.notice("\(event)")
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
