// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
package import NetworkModel

/// A DHCPv6 client (RFC 8415 section 18.2) for one address of one interface.
package struct DHCPv6Client: LeaseExchange {
    /// The exchanges of RFC 8415 section 18.2 that the client supports.
    package enum State: Hashable, Sendable { case soliciting, requesting, bound, renewing, rebinding }

    package private(set) var state = State.soliciting
    package private(set) var deadline: ContinuousClock.Instant?
    private let interface: LeaseInterface
    private let random: @Sendable () -> UInt32
    private var transaction: LeaseTransaction
    private var retransmission = Retransmission()
    /// The address that the client requests, or that the interface has.
    private var address: IPAddress?
    private var server: [UInt8]?
    /// Nil for a lease without an end.
    private var times: LeaseTimes?

    /// The shortest lease that is accepted, in seconds.
    package static let shortestLease: UInt32 = 10
    private static let requestAttempts = 4
    private static let refusalDelay = Duration.seconds(1)

    /// - Parameters:
    ///   - former: the former address of the interface, which is requested first.
    ///   - giver: the identifier of the server that assigned it.
    ///   - random: a source of random numbers.
    package init(
        _ interface: LeaseInterface, former: IPAddress?, giver: [UInt8]? = nil, at now: ContinuousClock.Instant,
        random: @escaping @Sendable () -> UInt32
    ) {
        self.interface = interface
        self.random = random
        address = former
        server = former == nil ? nil : giver
        deadline = now
        transaction = LeaseTransaction(number: random() & 0xff_ffff, at: now)
    }

    // MARK: Time

    /// Sends the message that is due in this state.
    package mutating func wake(at now: ContinuousClock.Instant) -> [LeaseAction] {
        guard let deadline, now >= deadline else { return [] }
        switch state {
        case .soliciting: return ask(.solicit, at: now)
        case .requesting:
            guard retransmission.count < Self.requestAttempts else { return solicit(at: now) }
            return ask(.request, at: now)
        case .bound, .renewing, .rebinding:
            guard let times else { return [] }
            if now >= times.end { return lose(at: now) }
            let next: State = now >= times.rebinding ? .rebinding : .renewing
            if next != state { transaction.begin(random() & 0xff_ffff, at: now) }
            state = next
            self.deadline = times.nextRequest(at: now, isRebinding: state == .rebinding)
            transaction.lastSent = now
            return [.send(message(state == .renewing ? .renew : .rebind, at: now).payload, to: nil)]
        }
    }

    private mutating func ask(_ kind: DHCPv6Message.Kind, at now: ContinuousClock.Instant) -> [LeaseAction] {
        deadline = now + retransmission.next(random())
        transaction.lastSent = now
        return [.send(message(kind, at: now).payload, to: nil)]
    }

    private mutating func solicit(at now: ContinuousClock.Instant, delay: Duration = .zero) -> [LeaseAction] {
        (state, retransmission, server) = (.soliciting, Retransmission(), nil)
        transaction.begin(random() & 0xff_ffff, at: now)
        deadline = now + delay
        return wake(at: now)
    }

    private mutating func lose(at now: ContinuousClock.Instant, delay: Duration = .zero) -> [LeaseAction] {
        address = nil
        return [.report(Lease(address: nil, seconds: 0))] + solicit(at: now, delay: delay)
    }

    private func message(_ kind: DHCPv6Message.Kind, at now: ContinuousClock.Instant) -> DHCPv6Message {
        var message = DHCPv6Message(kind, transaction: transaction.number)
        message.client = interface.identifier
        message.association = interface.association
        message.address = address.map { DHCPv6Message.Address($0) }
        if kind == .request || kind == .renew || kind == .release { message.server = server }
        message.elapsed = UInt16(clamping: transaction.start.duration(to: now).milliseconds / 10)
        return message
    }

    // MARK: Answers

    /// Handles a server's answer that this state expects.
    package mutating func receive(_ bytes: [UInt8], from sender: HardwareAddress, at now: ContinuousClock.Instant) -> [LeaseAction] {
        guard let message = DHCPv6Message(payload: bytes), message.transaction == transaction.number,
            message.client == interface.identifier,
            let from = message.server
        else { return [] }
        switch (state, message.kind) {
        case (.soliciting, .advertise):
            // Takes the first server with an address. Another server may have a higher preference, but a container waits.
            guard retransmission.count > 0, let offer = offered(message) else { return [] }
            (state, server, address, retransmission) = (.requesting, from, offer.address, Retransmission())
            transaction.begin(random() & 0xff_ffff, at: now)
            return ask(.request, at: now)
        case (.requesting, .reply):
            guard from == server else { return [] }
            guard let lease = offered(message) else { return isUsable(message) ? [] : lose(at: now, delay: Self.refusalDelay) }
            return bind(lease, message, from)
        case (.renewing, .reply), (.rebinding, .reply):
            guard state == .rebinding || from == server else { return [] }
            guard message.status == DHCPv6Message.success, let told = message.address, told.address == address else {
                // A status such as NoBinding ends the lease. An answer without the address does not, and the client asks again.
                return message.status == DHCPv6Message.success ? [] : lose(at: now, delay: Self.refusalDelay)
            }
            guard let lease = offered(message) else { return told.valid == 0 ? lose(at: now, delay: Self.refusalDelay) : [] }
            return bind(lease, message, from)
        default: return []
        }
    }

    /// True if the message is a success with an address; otherwise a later answer may be better.
    private func isUsable(_ message: DHCPv6Message) -> Bool { message.status == DHCPv6Message.success && message.address != nil }

    /// The address that a server offers or assigns; nil if it is unusable.
    private func offered(_ message: DHCPv6Message) -> DHCPv6Message.Address? {
        guard message.status == DHCPv6Message.success, message.association == interface.association, let address = message.address,
            address.address.isHost, address.valid >= Self.shortestLease
        else { return nil }
        return address
    }

    private mutating func bind(_ given: DHCPv6Message.Address, _ message: DHCPv6Message, _ from: [UInt8]) -> [LeaseAction] {
        (state, retransmission, server, address) = (.bound, Retransmission(), from, given.address)
        times =
            given.valid == .max
            ? nil
            : LeaseTimes(
                from: transaction.lastSent, valid: given.valid, preferred: given.preferred, renewal: message.renewal,
                rebinding: message.rebinding)
        deadline = times?.renewal
        return [
            .report(
                Lease(
                    address: IPPrefix(address: given.address, length: 128), seconds: given.valid == .max ? nil : given.valid,
                    preferredSeconds: given.preferred == .max ? nil : given.preferred, server: from))
        ]
    }

    /// Sends a Release if the interface has an address.
    package mutating func release(at now: ContinuousClock.Instant) -> [LeaseAction] {
        // A former address that is requested again counts: its server is known before any server has answered.
        guard state != .requesting, server != nil, address != nil else { return [] }
        transaction.begin(random() & 0xff_ffff, at: now)
        let message = message(.release, at: now)
        (state, deadline, server) = (.soliciting, nil, nil)
        return [.send(message.payload, to: nil)]
    }
}
