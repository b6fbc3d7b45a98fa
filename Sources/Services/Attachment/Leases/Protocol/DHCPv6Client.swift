// SPDX-License-Identifier: Apache-2.0

import JournalModel
package import NetworkModel

/// A client of DHCPv6 (RFC 8415 section 18.2) for one address of one interface.
package struct DHCPv6Client: LeaseExchange {
    package enum State: Hashable, Sendable { case soliciting, requesting, bound, renewing, rebinding }

    package private(set) var state = State.soliciting
    package private(set) var deadline: Int
    private let interface: LeaseInterface
    private let random: @Sendable () -> UInt32
    private var transaction: UInt32
    private var start: Int
    private var lastSent: Int
    private var retransmission = Retransmission()
    /// The address that is asked for, or that the interface has.
    private var address: IPAddress?
    private var server: [UInt8]?
    private var renewal = Int.max
    private var rebinding = Int.max
    private var end = Int.max

    package static let shortestLease: UInt32 = 10
    private static let requestAttempts = 4
    private static let pauseAfterRefusal = 1000
    private static let shortestRenewalPause = 2000

    /// - Parameters:
    ///   - former: the address that the interface has or had, which servers are asked for.
    ///   - giver: the identifier of the server that gave it.
    ///   - random: gives any number.
    package init(
        _ interface: LeaseInterface, former: IPAddress?, giver: [UInt8]? = nil, at now: Int, random: @escaping @Sendable () -> UInt32
    ) {
        self.interface = interface
        self.random = random
        address = former
        server = former == nil ? nil : giver
        (deadline, start, lastSent) = (now, now, now)
        transaction = random() & 0xff_ffff
    }

    // MARK: Time

    package mutating func wake(at now: Int) -> [LeaseAction] {
        guard now >= deadline else { return [] }
        switch state {
        case .soliciting: return ask(.solicit, at: now)
        case .requesting:
            guard retransmission.count < Self.requestAttempts else { return solicit(at: now) }
            return ask(.request, at: now)
        case .bound, .renewing, .rebinding:
            if now >= end { return lose(at: now) }
            let next: State = now >= rebinding ? .rebinding : .renewing
            if next != state { (state, transaction, start) = (next, random() & 0xff_ffff, now) }
            let limit = state == .renewing ? rebinding : end
            deadline = min(limit, now + max((limit - now) / 2, Self.shortestRenewalPause))
            lastSent = now
            return [.send(message(state == .renewing ? .renew : .rebind, at: now).payload, to: nil)]
        }
    }

    private mutating func ask(_ kind: DHCPv6Message.Kind, at now: Int) -> [LeaseAction] {
        deadline = now + retransmission.next(random())
        lastSent = now
        return [.send(message(kind, at: now).payload, to: nil)]
    }

    private mutating func solicit(at now: Int, pause: Int = 0) -> [LeaseAction] {
        (state, retransmission, transaction, start, server) = (.soliciting, Retransmission(), random() & 0xff_ffff, now, nil)
        deadline = now + pause
        return wake(at: now)
    }

    private mutating func lose(at now: Int, pause: Int = 0) -> [LeaseAction] {
        address = nil
        return [.report(Lease(address: nil, seconds: 0))] + solicit(at: now, pause: pause)
    }

    private func message(_ kind: DHCPv6Message.Kind, at now: Int) -> DHCPv6Message {
        var message = DHCPv6Message(kind, transaction: transaction)
        message.client = interface.identifier
        message.association = interface.association
        message.address = address.map { DHCPv6Message.Address($0) }
        if kind == .request || kind == .renew || kind == .release { message.server = server }
        message.elapsed = UInt16(clamping: (now - start) / 10)
        return message
    }

    // MARK: Answers

    package mutating func receive(_ bytes: [UInt8], from sender: HardwareAddress, at now: Int) -> [LeaseAction] {
        guard let message = DHCPv6Message(payload: bytes), message.transaction == transaction, message.client == interface.identifier,
            let from = message.server
        else { return [] }
        switch (state, message.kind) {
        case (.soliciting, .advertise):
            // The first server that has an address: others could be preferred, but a container waits.
            guard retransmission.count > 0, let offer = offered(message) else { return [] }
            (state, server, address, retransmission) = (.requesting, from, offer.address, Retransmission())
            (transaction, start) = (random() & 0xff_ffff, now)
            return ask(.request, at: now)
        case (.requesting, .reply):
            guard from == server else { return [] }
            guard let lease = offered(message) else { return isUsable(message) ? [] : lose(at: now, pause: Self.pauseAfterRefusal) }
            return bind(lease, message, from)
        case (.renewing, .reply), (.rebinding, .reply):
            guard state == .rebinding || from == server else { return [] }
            guard message.status == DHCPv6Message.success, let told = message.address, told.address == address else {
                // NoBinding and its like; an answer without the address says nothing of it, and servers may be asked again.
                return message.status == DHCPv6Message.success ? [] : lose(at: now, pause: Self.pauseAfterRefusal)
            }
            guard let lease = offered(message) else { return told.valid == 0 ? lose(at: now, pause: Self.pauseAfterRefusal) : [] }
            return bind(lease, message, from)
        default: return []
        }
    }

    /// True when a server's answer could be a mistake that the next one mends, rather than a refusal.
    private func isUsable(_ message: DHCPv6Message) -> Bool { message.status == DHCPv6Message.success && message.address != nil }

    /// The address that a server offers or has given; nil when it cannot be used.
    private func offered(_ message: DHCPv6Message) -> DHCPv6Message.Address? {
        guard message.status == DHCPv6Message.success, message.association == interface.association, let address = message.address,
            address.address.isHost, address.valid >= Self.shortestLease
        else { return nil }
        return address
    }

    private mutating func bind(_ given: DHCPv6Message.Address, _ message: DHCPv6Message, _ from: [UInt8]) -> [LeaseAction] {
        (state, retransmission, server, address) = (.bound, Retransmission(), from, given.address)
        (renewal, rebinding, end) = (.max, .max, .max)
        if given.valid != .max {
            // Without times of the server's they are half and four fifths of the preferred time (RFC 8415 section 14.2).
            let (all, preferred) = (Int(given.valid) * 1000, Int(given.preferred > 0 ? given.preferred : given.valid) * 1000)
            let usual = min(preferred, all)
            let told = (Int(message.renewal) * 1000, Int(message.rebinding) * 1000)
            let second = (2000..<all).contains(told.1) ? told.1 : max(2000, usual / 5 * 4)
            let first = (1000...second).contains(told.0) ? told.0 : usual / 2 < second ? usual / 2 : second / 2
            (renewal, rebinding, end) = (lastSent + first, lastSent + second, lastSent + all)
        }
        deadline = renewal
        return [
            .report(
                Lease(
                    address: IPPrefix(address: given.address, length: 128), seconds: given.valid == .max ? nil : given.valid,
                    preferredSeconds: given.preferred == .max ? nil : given.preferred, server: from))
        ]
    }

    package mutating func release(at now: Int) -> [LeaseAction] {
        // One that is asked for again counts: then a server is known before any has answered.
        guard state != .requesting, server != nil, address != nil else { return [] }
        (transaction, start) = (random() & 0xff_ffff, now)
        let message = message(.release, at: now)
        (state, deadline, server) = (.soliciting, .max, nil)
        return [.send(message.payload, to: nil)]
    }
}
