// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Linux
package import NetworkModel
import Primitives

/// An action that an exchange with DHCP servers requests from its caller.
package enum LeaseAction: Hashable, Sendable {
    /// Sends a datagram to one link-layer address, or to all servers if that is nil. The bytes are an IP packet for IPv4, and the payload
    /// of a UDP datagram for IPv6.
    case send([UInt8], to: HardwareAddress?)
    /// Reports a lease. A lease without an address reports the end of the lease.
    case report(Lease)
}

/// The exchange of one interface with DHCP servers, as a value: datagrams and times are inputs, actions are outputs.
package protocol LeaseExchange: Sendable {
    /// The time of the next call of ``wake(at:)``; nil for no call.
    var deadline: ContinuousClock.Instant? { get }
    /// Sends the first request or a retransmission, if it is due.
    mutating func wake(at now: ContinuousClock.Instant) -> [LeaseAction]
    /// Handles a datagram. A malformed or unexpected datagram, or a datagram for another interface, changes nothing.
    ///
    /// - Parameter sender: the link-layer address of the sender; empty where it is not needed.
    mutating func receive(_ bytes: [UInt8], from sender: HardwareAddress, at now: ContinuousClock.Instant) -> [LeaseAction]
    /// Returns the address to its server with one datagram, and does not wait for the answer.
    mutating func release(at now: ContinuousClock.Instant) -> [LeaseAction]
}

/// The properties of an interface that its client needs.
package struct LeaseInterface: Hashable, Sendable {
    package var index: Int32
    /// ARPHRD_ETHER is 1, ARPHRD_INFINIBAND 32 (linux/if_arp.h).
    package var type: UInt16
    package var address: HardwareAddress
    package var broadcast: HardwareAddress

    package init(index: Int32, type: UInt16, address: HardwareAddress, broadcast: HardwareAddress) {
        (self.index, self.type, self.address, self.broadcast) = (index, type, address, broadcast)
    }

    /// The part of the hardware address that does not change: for IP over InfiniBand only the port's GUID, because queue pair number and
    /// subnet prefix may change (RFC 4391 section 9.1.1); otherwise the whole address.
    private var stable: ArraySlice<UInt8> { type == 32 ? address.bytes.suffix(8) : address.bytes[...] }

    /// DUID-LL (RFC 8415 section 11.4): the hardware address identifies the interface in every pod.
    package var identifier: [UInt8] { [0, 3, UInt8(type >> 8), UInt8(type & 0xff)] + stable }

    /// The number of the only identity association of the interface.
    package var association: [UInt8] { [UInt8](repeating: 0, count: max(0, 4 - stable.count)) + stable.suffix(4) }
}

/// One transaction with servers.
struct LeaseTransaction: Hashable, Sendable {
    /// The number in all messages of the transaction.
    private(set) var number: UInt32
    private(set) var start: ContinuousClock.Instant
    /// The time of the last request, at which a lease begins.
    var lastSent: ContinuousClock.Instant

    init(number: UInt32, at now: ContinuousClock.Instant) { (self.number, start, lastSent) = (number, now, now) }

    /// Begins another transaction. Keeps the time of the last request until the next request.
    mutating func begin(_ number: UInt32, at now: ContinuousClock.Instant) { (self.number, start) = (number, now) }
}

/// The times of a lease: requests to its server begin at `renewal`, requests to any server at `rebinding`.
struct LeaseTimes: Hashable, Sendable {
    var renewal: ContinuousClock.Instant
    var rebinding: ContinuousClock.Instant
    var end: ContinuousClock.Instant

    /// The shortest delay between two requests for the same lease.
    private static let shortestDelay = Duration.seconds(2)

    /// The times of DHCPv4. Times of the server that are out of bounds are replaced by 1/2 and 7/8 of the lease (RFC 2131 section 4.4.5).
    init(from start: ContinuousClock.Instant, seconds: UInt32, renewal: UInt32?, rebinding: UInt32?) {
        let all = Duration.seconds(seconds)
        var second = rebinding.map { Duration.seconds($0) } ?? .zero
        if !(.seconds(2)..<all).contains(second) { second = all * 7 / 8 }
        var first = renewal.map { Duration.seconds($0) } ?? .zero
        if !(.seconds(1)..<second).contains(first) { first = all / 2 < second ? all / 2 : second / 2 }
        (self.renewal, self.rebinding, end) = (start + first, start + second, start + all)
    }

    /// The times of DHCPv6. Unusable times of the server are replaced by 1/2 and 4/5 of the preferred lifetime (RFC 8415 section 14.2).
    init(from start: ContinuousClock.Instant, valid: UInt32, preferred: UInt32, renewal: UInt32, rebinding: UInt32) {
        let all = Duration.seconds(valid)
        let usual = min(.seconds(preferred > 0 ? preferred : valid), all)
        var second = Duration.seconds(rebinding)
        if !(.seconds(2)..<all).contains(second) { second = max(.seconds(2), usual * 4 / 5) }
        var first = Duration.seconds(renewal)
        if !(.seconds(1)...second).contains(first) { first = usual / 2 < second ? usual / 2 : second / 2 }
        (self.renewal, self.rebinding, end) = (start + first, start + second, start + all)
    }

    /// The time of the next request after a request at `now`: half of the remaining time later (RFC 2131 section 4.4.5).
    func nextRequest(at now: ContinuousClock.Instant, isRebinding: Bool) -> ContinuousClock.Instant {
        let limit = isRebinding ? end : rebinding
        return min(limit, now + max(now.duration(to: limit) / 2, Self.shortestDelay))
    }
}

/// The backoff of requests without an answer, with 10 % jitter, so that many clients do not ask at the same time.
package struct Retransmission: Hashable, Sendable {
    /// Both protocols allow longer intervals (RFC 2131 section 4.1, RFC 8415 section 15), but a container waits for the answer.
    private static let backoff = Backoff(first: .seconds(1), longest: .seconds(4))

    package private(set) var count = 0

    package init() {}

    /// The time until the next request.
    ///
    /// - Parameter random: any number.
    package mutating func next(_ random: UInt32) -> Duration {
        let interval = Self.backoff.delay(attempt: count)
        count += 1
        return interval - interval / 10 + .milliseconds(Int(random) % (interval.milliseconds / 5))
    }
}

/// A cursor over bytes from the network. Each step checks the remaining length, so that no input can make it trap.
struct DatagramReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Collection<UInt8>) { rest = ArraySlice(bytes) }

    var remaining: Int { rest.count }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func skip(_ count: Int) -> Bool { take(count) != nil }

    /// An integer in network order.
    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type = Value.self) -> Value? {
        take(MemoryLayout<Value>.size)?.reduce(0) { $0 << 8 | Value($1) }
    }

    mutating func addressV4() -> IPAddress? { take(4).flatMap { IPAddress(bytes: $0) } }
}

extension FixedWidthInteger where Self: UnsignedInteger {
    var networkBytes: [UInt8] { [UInt8](bigEndian.hostBytes) }
}

extension IPAddress {
    /// True if the address can be a host's: not zero, loopback, multicast, broadcast or link-local.
    package var isHost: Bool {
        if isV6 {
            // Zero, loopback and IPv4-mapped addresses (all in ::/8), link-local and multicast addresses.
            return bytes[0] != 0 && bytes[0] != 0xff && !isLinkLocal
        }
        return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224 && !isLinkLocal
    }
}
