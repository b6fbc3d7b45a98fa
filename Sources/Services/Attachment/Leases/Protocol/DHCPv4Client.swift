// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
package import NetworkModel

/// A DHCP client for one interface (RFC 2131 section 4.4).
package struct DHCPv4Client: LeaseExchange {
    /// The states of RFC 2131 figure 5, without INIT and INIT-REBOOT, which only send a message.
    package enum State: Hashable, Sendable { case rebooting, selecting, requesting, bound, renewing, rebinding }

    package private(set) var state: State
    package private(set) var deadline: ContinuousClock.Instant?
    private let interface: LeaseInterface
    private let random: @Sendable () -> UInt32
    private var transaction: LeaseTransaction
    private var retransmission = Retransmission()
    /// The address that the client requests, or that the interface has.
    private var address: IPAddress
    private var server: IPAddress?
    /// The link-layer address from which the server's answer came: the server, or a router on the path.
    private var serverLink: HardwareAddress?
    /// Nil for a lease without an end.
    private var times: LeaseTimes?

    /// The shortest accepted lease, in seconds. A shorter one would be renewed continuously.
    package static let shortestLease: UInt32 = 10
    /// The number of requests for the former address, before the client accepts any address.
    private static let rebootAttempts = 3
    private static let requestAttempts = 4
    private static let refusalDelay = Duration.seconds(1)

    /// - Parameters:
    ///   - former: the former address of the interface, which is requested first.
    ///   - giver: the server that assigned it, in the form of ``Lease/server``.
    ///   - random: a source of random numbers.
    package init(
        _ interface: LeaseInterface, former: IPAddress?, giver: [UInt8]? = nil, at now: ContinuousClock.Instant,
        random: @escaping @Sendable () -> UInt32
    ) {
        self.interface = interface
        self.random = random
        state = former == nil ? .selecting : .rebooting
        address = former ?? .anyV4
        deadline = now
        transaction = LeaseTransaction(number: random(), at: now)
        if former != nil, let giver, giver.count > 4 {
            (server, serverLink) = (IPAddress(bytes: giver.prefix(4)), HardwareAddress(bytes: giver.dropFirst(4)))
        }
    }

    // MARK: Time

    /// Sends the message that is due in this state.
    package mutating func wake(at now: ContinuousClock.Instant) -> [LeaseAction] {
        guard let deadline, now >= deadline else { return [] }
        switch state {
        case .rebooting:
            guard retransmission.count < Self.rebootAttempts else { return select(at: now) }
            return request(at: now)
        case .selecting: return discover(at: now)
        case .requesting:
            guard retransmission.count < Self.requestAttempts else { return select(at: now) }
            return request(at: now)
        case .bound, .renewing, .rebinding:
            guard let times else { return [] }
            if now >= times.end { return lose(at: now) }
            let next: State = now >= times.rebinding ? .rebinding : .renewing
            if state == .bound { transaction.begin(random(), at: now) }
            state = next
            self.deadline = times.nextRequest(at: now, isRebinding: state == .rebinding)
            transaction.lastSent = now
            return [send(message(.request), at: now, toServer: state == .renewing)]
        }
    }

    private mutating func select(at now: ContinuousClock.Instant) -> [LeaseAction] {
        state = .selecting
        retransmission = Retransmission()
        transaction.begin(random(), at: now)
        (server, serverLink) = (nil, nil)
        address = .anyV4
        return discover(at: now)
    }

    /// Reports the end of the lease, and requests another one.
    private mutating func lose(at now: ContinuousClock.Instant, delay: Duration = .zero) -> [LeaseAction] {
        let gone = LeaseAction.report(Lease(address: nil, seconds: 0))
        guard delay > .zero else { return [gone] + select(at: now) }
        state = .selecting
        retransmission = Retransmission()
        transaction.begin(random(), at: now)
        (server, serverLink, address, deadline) = (nil, nil, .anyV4, now + delay)
        return [gone]
    }

    private mutating func discover(at now: ContinuousClock.Instant) -> [LeaseAction] {
        deadline = now + retransmission.next(random())
        return [send(message(.discover), at: now)]
    }

    private mutating func request(at now: ContinuousClock.Instant) -> [LeaseAction] {
        deadline = now + retransmission.next(random())
        transaction.lastSent = now
        var message = message(.request)
        message.options[DHCPv4Message.Option.requestedAddress] = address.bytes
        if state == .requesting, let server { message.options[DHCPv4Message.Option.server] = server.bytes }
        return [send(message, at: now)]
    }

    private func message(_ kind: DHCPv4Message.Kind) -> DHCPv4Message {
        typealias Option = DHCPv4Message.Option
        var message = DHCPv4Message(kind, transaction: transaction.number)
        message.options[Option.identifier] =
            interface.type == 1
            ? [1] + interface.address.bytes
            // RFC 4361 section 6.1; RFC 4390 requires it over InfiniBand.
            : [255] + interface.association + interface.identifier
        guard kind != .release else { return message }
        message.options[Option.wanted] = [
            Option.mask, Option.routers, Option.leaseTime, Option.renewal, Option.rebinding, Option.routes,
        ]
        message.options[Option.largestMessage] = UInt16(1400).networkBytes
        if [.bound, .renewing, .rebinding].contains(state) { message.clientAddress = address }
        return message
    }

    private func send(_ message: DHCPv4Message, at now: ContinuousClock.Instant, toServer: Bool = false) -> LeaseAction {
        let target = toServer ? server : nil
        return .send(
            message.packet(
                interface, from: message.clientAddress, to: target ?? .broadcastV4,
                seconds: UInt16(clamping: transaction.start.duration(to: now).components.seconds)),
            to: target == nil ? nil : serverLink)
    }

    // MARK: Answers

    /// Handles a server's answer that this state expects.
    package mutating func receive(_ bytes: [UInt8], from sender: HardwareAddress, at now: ContinuousClock.Instant) -> [LeaseAction] {
        guard let message = DHCPv4Message(packet: bytes), message.transaction == transaction.number,
            interface.type == 32 || message.hardwareAddress == interface.address.bytes
        else { return [] }
        let from = message.address(DHCPv4Message.Option.server)
        switch (state, message.kind) {
        case (.selecting, .offer):
            guard let from, from.isHost, retransmission.count > 0, offered(message) != nil else { return [] }
            (server, address, state, retransmission) = (from, message.yourAddress, .requesting, Retransmission())
            return request(at: now)
        case (.rebooting, .acknowledgement), (.requesting, .acknowledgement), (.renewing, .acknowledgement), (.rebinding, .acknowledgement):
            guard let from, from.isHost, state != .requesting || from == server, message.yourAddress == address,
                let lease = offered(message)
            else { return [] }
            (server, serverLink) = (from, sender)
            return bind(lease, message)
        case (.rebooting, .refusal), (.renewing, .refusal), (.rebinding, .refusal):
            guard state != .renewing || from == server else { return [] }
            return lose(at: now, delay: Self.refusalDelay)
        case (.requesting, .refusal):
            guard from == server else { return [] }
            return lose(at: now, delay: Self.refusalDelay)
        default: return []
        }
    }

    /// The lease that a server offers or assigns; nil if it is unusable.
    private func offered(_ message: DHCPv4Message) -> Lease? {
        guard message.yourAddress.isHost, let seconds = message.seconds(DHCPv4Message.Option.leaseTime), seconds >= Self.shortestLease,
            let length = message.prefixLength
        else { return nil }
        return Lease(
            address: IPPrefix(address: message.yourAddress, length: length), seconds: seconds == .max ? nil : seconds,
            routes: message.routes ?? [])
    }

    /// The lease begins at the time of the request (RFC 2131 section 4.4.1).
    private mutating func bind(_ lease: Lease, _ message: DHCPv4Message) -> [LeaseAction] {
        state = .bound
        retransmission = Retransmission()
        times = lease.seconds.map { seconds in
            let renewal = message.seconds(DHCPv4Message.Option.renewal)
            let rebinding = message.seconds(DHCPv4Message.Option.rebinding)
            return LeaseTimes(from: transaction.lastSent, seconds: seconds, renewal: renewal, rebinding: rebinding)
        }
        deadline = times?.renewal
        var lease = lease
        if let server, let serverLink { lease.server = server.bytes + serverLink.bytes }
        return [.report(lease)]
    }

    /// Sends a DHCPRELEASE if the interface has an address.
    package mutating func release(at now: ContinuousClock.Instant) -> [LeaseAction] {
        // A former address that is requested again counts, because the server assigned it.
        guard [.rebooting, .bound, .renewing, .rebinding].contains(state), let server else { return [] }
        var message = message(.release)
        transaction.begin(random(), at: now)
        message.transaction = transaction.number
        message.clientAddress = address
        message.options[DHCPv4Message.Option.server] = server.bytes
        (state, deadline) = (.selecting, nil)
        return [send(message, at: now, toServer: true)]
    }
}
