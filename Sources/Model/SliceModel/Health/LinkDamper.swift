// SPDX-License-Identifier: Apache-2.0

package import Hardware
import Topology

/// Keeps a link that flaps from being news each time. Pure: the time comes from outside.
///
/// A link that goes is believed at once: nobody should get that NIC. One that comes back has to stay for a while first: ten
/// seconds, and twice as long for each further time it was lost within ten minutes, up to five minutes. An interface that comes back
/// from a pod is given half a minute to find its link again.
package struct LinkDamper: Sendable {
    package typealias Instant = ContinuousClock.Instant

    private struct Entry {
        /// What the rest of the program is told.
        var isUp: Bool
        /// What was seen last, and since when.
        var seen: Bool
        var since: Instant
        /// When it was lost, also while nobody believed that it was back.
        var losses: [Instant] = []
        /// Until then a lost link is nothing to worry about.
        var excused: Instant?
        /// The device when it had its link: a port without one does not tell its rate.
        var whenUp: Device?
    }

    private var entries: [String: Entry] = [:]
    private var inPods: Set<String> = []

    package static let steadyTime = Duration.seconds(10)
    package static let longestSteadyTime = Duration.seconds(300)
    package static let memory = Duration.seconds(600)
    package static let returnTime = Duration.seconds(30)

    package init() {}

    /// The machine with links as they are to be believed, and when to look again if nothing happens before; nil for never.
    ///
    /// - Parameter inPods: names in slices of devices whose interfaces are in pods.
    package mutating func damped(_ machine: Machine, inPods: Set<String> = [], at now: Instant) -> (machine: Machine, next: Instant?) {
        var machine = machine
        var next: Instant?
        var present: Set<String> = []
        let returned = self.inPods.subtracting(inPods)
        self.inPods = inPods
        machine.changeNICs { device in
            present.insert(device.address)
            if returned.contains(device.sliceName) { entries[device.address]?.excused = now + Self.returnTime }
            guard device.link != .unknown else { return }
            let isUp = device.link == .up
            let deadline = note(device, isUp: isUp, at: now)
            next = [next, deadline].compactMap { $0 }.min()
            guard let entry = entries[device.address] else { return }
            if entry.isUp != isUp { device.setLink(isUp: entry.isUp) }
            if !entry.isUp, let whenUp = entry.whenUp { device.takeRates(of: whenUp) }
        }
        for address in entries.keys where !present.contains(address) { entries[address] = nil }
        return (machine, next)
    }

    /// Takes in what was seen of one link; when to look at it again.
    private mutating func note(_ device: Device, isUp: Bool, at now: Instant) -> Instant? {
        // What is seen for the first time is believed.
        var entry = entries[device.address] ?? Entry(isUp: isUp, seen: isUp, since: now)
        defer { entries[device.address] = entry }
        if isUp { entry.whenUp = device }
        let isExcused = entry.excused.map { now < $0 } ?? false
        if entry.seen != isUp {
            (entry.seen, entry.since) = (isUp, now)
            if !isUp, !isExcused { entry.losses.append(now) }
        }
        entry.losses.removeAll { now - $0 > Self.memory }
        if isUp == entry.isUp { return nil }
        if isUp {
            let doublings = max(0, min(entry.losses.count - 1, 8))
            let due = entry.since + min(Self.steadyTime * (1 << doublings), Self.longestSteadyTime)
            if now < due { return due }
            entry.isUp = true
            return nil
        }
        if isExcused { return entry.excused }
        entry.isUp = false
        return nil
    }
}

extension Machine {
    /// Lets every NIC be changed: its interfaces and its RDMA devices are taken over.
    fileprivate mutating func changeNICs(_ change: (inout Device) -> Void) {
        for device in devices where device.kind == .nic {
            var changed = device
            change(&changed)
            guard changed != device else { continue }
            if let address = device.function?.address, let index = functions.firstIndex(where: { $0.address == address }) {
                if let part = device.subFunction, let place = functions[index].subFunctions.firstIndex(where: { $0.name == part.name }) {
                    functions[index].subFunctions[place].netdevs.take(changed.netdevs)
                    functions[index].subFunctions[place].rdmaDevices = changed.rdmaDevices
                } else {
                    functions[index].netdevs.take(changed.netdevs)
                    functions[index].rdmaDevices = changed.rdmaDevices
                }
            } else {
                virtualNetdevs.take(changed.netdevs)
            }
        }
    }
}

extension [Netdev] {
    /// Replaces those of the same names.
    fileprivate mutating func take(_ others: [Netdev]) {
        for other in others { if let index = firstIndex(where: { $0.name == other.name }) { self[index] = other } }
    }
}

extension Device {
    fileprivate mutating func setLink(isUp: Bool) {
        for index in netdevs.indices where netdevs[index].isEnabled == true {
            netdevs[index].hasCarrier = isUp
            netdevs[index].state = isUp ? "up" : "down"
        }
        for index in rdmaDevices.indices {
            for port in rdmaDevices[index].ports.indices { rdmaDevices[index].ports[port].state = isUp ? "ACTIVE" : "DOWN" }
        }
    }

    /// Rates as they were, where a link that is missing tells none, or that of the slowest there is.
    fileprivate mutating func takeRates(of other: Device) {
        for index in netdevs.indices {
            if let same = other.netdevs.first(where: { $0.name == netdevs[index].name }) { netdevs[index].speed = same.speed }
        }
        for index in rdmaDevices.indices {
            guard let same = other.rdmaDevices.first(where: { $0.name == rdmaDevices[index].name }) else { continue }
            for port in rdmaDevices[index].ports.indices {
                if let rate = same.ports.first(where: { $0.number == rdmaDevices[index].ports[port].number })?.rate {
                    rdmaDevices[index].ports[port].rate = rate
                }
            }
        }
    }
}
