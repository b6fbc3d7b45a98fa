// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Topology
import ResourceAPI
import Hardware
import Logging
import SliceModel

/// Reports changes of device conditions as events and in the log.
struct ConditionReporter {
    private let events: EventService
    private let log: Logger
    private var health = HealthReport()
    private var warnings: Set<String> = []
    /// Devices that were in pods at the last observation.
    private var attached: Set<String> = []

    init(events: EventService, log: Logger) {
        self.events = events
        self.log = log
    }

    /// Reports the changes since the last call.
    mutating func report(_ devices: NodeDevices, _ observation: HostObservation) {
        for error in observation.damaged { log.error("reading a state failed", metadata: ["error": "\(error)"]) }
        if observation.duration > Self.longDiscovery {
            log.warning("discovery was slow", metadata: ["duration": "\(observation.duration)"])
        }
        reportLost(Set(observation.attachments.map(\.device)), devices)
        report(devices.warnings)
        report(devices.health)
    }

    private static let longDiscovery = Duration.seconds(1)

    /// Reports devices that were in a pod, and are now neither in a pod nor on the host. The health stream reports lost devices of
    /// claims.
    private mutating func reportLost(_ attached: Set<String>, _ devices: NodeDevices) {
        let gone = self.attached.subtracting(attached).subtracting(devices.held)
        self.attached = attached
        guard !gone.isEmpty else { return }
        for device in gone.subtracting(devices.topology.machine.devices.map(\.sliceName)).sorted() {
            log.warning("device lost in a pod", metadata: ["device": "\(device)"])
            events.post(.warning, DeviceCondition.lost.began, "\(device): the device was lost in a pod")
        }
    }

    /// Logs a warning when it appears, and again after it was absent.
    private mutating func report(_ found: [String]) {
        for warning in found where !warnings.contains(warning) {
            log.warning("device information is not used", metadata: ["reason": "\(warning)"])
        }
        warnings = Set(found)
    }

    private mutating func report(_ health: HealthReport) {
        for change in health.changes(since: self.health) {
            let condition = change.finding.condition
            let device: Logger.Metadata = ["device": "\(change.device)", "condition": "\(condition.rawValue)"]
            if change.began {
                log.warning("device condition began", metadata: device.merging(["message": "\(change.finding.message)"]) { $1 })
                events.post(.warning, condition.began, "\(change.device): \(change.finding.message)")
            } else {
                log.notice("device condition ended", metadata: device)
                events.post(.normal, condition.ended, "\(change.device): \(condition.rawValue) ended")
            }
        }
        self.health = health
    }
}
