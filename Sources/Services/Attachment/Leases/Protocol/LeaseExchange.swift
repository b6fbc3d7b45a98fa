// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Linux
package import NetworkModel

/// A step that an exchange with DHCP servers asks its caller to take.
package enum LeaseAction: Hashable, Sendable {
    /// Sends a datagram: to one link-layer address, or to all servers when that is nil. For IPv4 the bytes are an IP packet, for IPv6 the
    /// payload of a UDP datagram.
    case send([UInt8], to: HardwareAddress?)
    /// Reports a lease; one without an address says that the lease has ended.
    case report(Lease)
}

/// One interface's dialogue with DHCP servers, as a value: datagrams and the time go in, actions come out.
package protocol LeaseExchange: Sendable {
    /// The time of the next call of ``wake(at:)``; nil for never.
    var deadline: ContinuousClock.Instant? { get }
    /// Sends the first request, or another one, when its time has come.
    mutating func wake(at now: ContinuousClock.Instant) -> [LeaseAction]
    /// Takes a datagram. One that is malformed, not expected or not meant for this interface changes nothing.
    ///
    /// - Parameter sender: the link-layer address it came from; empty where that does not matter.
    mutating func receive(_ bytes: [UInt8], from sender: HardwareAddress, at now: ContinuousClock.Instant) -> [LeaseAction]
    /// Returns the address to its server with one datagram, whose answer is not waited for.
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

    /// The part of the hardware address that does not change: all of it, but for IP over InfiniBand the port's GUID alone, as the queue
    /// pair's number and the subnet are not the port's (RFC 4391 section 9.1.1).
    private var stable: ArraySlice<UInt8> { type == 32 ? address.bytes.suffix(8) : address.bytes[...] }

    /// DUID-LL (RFC 8415 section 11.4): an interface is known by its hardware address, in whichever pod it is.
    package var identifier: [UInt8] { [0, 3, UInt8(type >> 8), UInt8(type & 0xff)] + stable }

    /// The number of the only identity association of the interface.
    package var association: [UInt8] { [UInt8](repeating: 0, count: max(0, 4 - stable.count)) + stable.suffix(4) }
}

/// One transaction with servers.
struct LeaseTransaction: Hashable, Sendable {
    /// The number in all its messages.
    private(set) var number: UInt32
    private(set) var start: ContinuousClock.Instant
    /// The time of the last request, from which a lease counts.
    var lastSent: ContinuousClock.Instant

    init(number: UInt32, at now: ContinuousClock.Instant) { (self.number, start, lastSent) = (number, now, now) }

    /// Begins another transaction. The time of the last request stays until the next one.
    mutating func begin(_ number: UInt32, at now: ContinuousClock.Instant) { (self.number, start) = (number, now) }
}

/// The times of a lease: requests to its server begin at `renewal`, requests to any server at `rebinding`.
struct LeaseTimes: Hashable, Sendable {
    var renewal: ContinuousClock.Instant
    var rebinding: ContinuousClock.Instant
    var end: ContinuousClock.Instant

    /// The shortest time between two requests for the same lease.
    private static let shortestDelay = Duration.seconds(2)

    /// The times of DHCPv4. A server's times outside of their bounds are replaced by half and seven eighths of the lease (RFC 2131 section
    /// 4.4.5).
    init(from start: ContinuousClock.Instant, seconds: UInt32, renewal: UInt32?, rebinding: UInt32?) {
        let all = Duration.seconds(seconds)
        var second = rebinding.map { Duration.seconds($0) } ?? .zero
        if !(.seconds(2)..<all).contains(second) { second = all * 7 / 8 }
        var first = renewal.map { Duration.seconds($0) } ?? .zero
        if !(.seconds(1)..<second).contains(first) { first = all / 2 < second ? all / 2 : second / 2 }
        (self.renewal, self.rebinding, end) = (start + first, start + second, start + all)
    }

    /// The times of DHCPv6. Without usable times of the server's they are half and four fifths of the preferred time (RFC 8415 section
    /// 14.2).
    init(from start: ContinuousClock.Instant, valid: UInt32, preferred: UInt32, renewal: UInt32, rebinding: UInt32) {
        let all = Duration.seconds(valid)
        let usual = min(.seconds(preferred > 0 ? preferred : valid), all)
        var second = Duration.seconds(rebinding)
        if !(.seconds(2)..<all).contains(second) { second = max(.seconds(2), usual * 4 / 5) }
        var first = Duration.seconds(renewal)
        if !(.seconds(1)...second).contains(first) { first = usual / 2 < second ? usual / 2 : second / 2 }
        (self.renewal, self.rebinding, end) = (start + first, start + second, start + all)
    }

    /// The time of the next request after one at `now`: half of the remaining time later (RFC 2131 section 4.4.5).
    func nextRequest(at now: ContinuousClock.Instant, isRebinding: Bool) -> ContinuousClock.Instant {
        let limit = isRebinding ? end : rebinding
        return min(limit, now + max(now.duration(to: limit) / 2, Self.shortestDelay))
    }
}

/// The times of requests without an answer: soon at first, then less often, each a tenth of the interval earlier or later, so that many clients
/// do not ask at the same time.
package struct Retransmission: Hashable, Sendable {
    /// Both protocols allow longer intervals (RFC 2131 section 4.1, RFC 8415 section 15), but a container waits for the answer.
    package static let first = Duration.seconds(1)
    package static let longest = Duration.seconds(4)

    package private(set) var count = 0
    private var interval = Self.first

    package init() {}

    /// The time until the next request.
    ///
    /// - Parameter random: any number.
    package mutating func next(_ random: UInt32) -> Duration {
        defer { interval = min(interval * 2, Self.longest) }
        count += 1
        return interval - interval / 10 + .milliseconds(Int(random) % (interval.milliseconds / 5))
    }
}

/// A cursor over bytes from the network. Every step checks what is left, so no input can make it trap.
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
    var networkBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { [UInt8]($0) } }
}

extension IPAddress {
    /// True when the address can be one host's: not zero, loopback, multicast or broadcast, and not of a range that every host has.
    package var isHost: Bool {
        if isV6 {
            // Zero, loopback and IPv4 mapped into IPv6 (all in ::/8), link-local, multicast.
            return bytes[0] != 0 && bytes[0] != 0xff && !isLinkLocal
        }
        return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224 && !isLinkLocal
    }
}
