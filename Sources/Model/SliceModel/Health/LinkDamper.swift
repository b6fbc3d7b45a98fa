// SPDX-License-Identifier: Apache-2.0

package import Hardware
import Primitives
import Topology

/// Damps flapping links. Pure: the caller passes the time.
///
/// The loss of a link takes effect at once, so that no claim gets the NIC. A new link takes effect after ten seconds, and after twice as
/// long for each further loss within ten minutes, up to five minutes. The interface of an ended pod has 30 seconds to re-establish its
/// link.
package struct LinkDamper: Sendable {
    /// An instant of the monotonic clock.
    package typealias Instant = ContinuousClock.Instant

    private struct Entry {
        /// The damped state.
        var isUp: Bool
        /// The latest observed state, and the time of its change.
        var seen: Bool
        var since: Instant
        /// Times of losses, including links whose rise had not taken effect.
        var losses: [Instant] = []
        /// End of the grace period after a pod.
        var excused: Instant?
        /// The device while it had a link: a port without a link does not report its rate.
        var whenUp: Device?
    }

    private var entries: [String: Entry] = [:]
    private var inPods: Set<String> = []

    private static let backoff = Backoff(first: .seconds(10), longest: .seconds(300))
    package static let memory = Duration.seconds(600)
    package static let returnTime = Duration.seconds(30)

    package init() {}

    /// Returns the machine with damped links, and the time of the next change without further events; nil for none.
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

    /// Records an observation of one link, and returns the time at which the damped state changes by itself.
    private mutating func note(_ device: Device, isUp: Bool, at now: Instant) -> Instant? {
        // The first observation takes effect at once.
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
            let due = entry.since + Self.backoff.delay(attempt: entry.losses.count - 1)
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
    /// Applies a change to every NIC, and stores its interfaces and RDMA devices in the machine.
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
    /// Replaces the interfaces of the same names.
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

    /// Copies the rates of another observation: a port without a link reports no rate, or the lowest one.
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
