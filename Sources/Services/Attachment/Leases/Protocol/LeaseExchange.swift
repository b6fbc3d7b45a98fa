// SPDX-License-Identifier: Apache-2.0

package import JournalModel
package import NetworkModel

/// A step that an exchange with DHCP servers asks its caller to take.
package enum LeaseAction: Hashable, Sendable {
    /// Sends a datagram: to one link-layer address, or to all servers when that is nil. For IPv4 the bytes are an IP packet, for IPv6 the
    /// payload of a UDP datagram.
    case send([UInt8], to: HardwareAddress?)
    /// Reports a lease; one without an address says that there is none any more.
    case report(Lease)
}

/// One interface's dialogue with DHCP servers, as a value: datagrams and the time go in, actions come out. Times are milliseconds of a clock
/// that never jumps.
package protocol LeaseExchange: Sendable {
    /// When ``wake(at:)`` has to be called next.
    var deadline: Int { get }
    /// Asks for the first time, or again, as far as it is time for that.
    mutating func wake(at now: Int) -> [LeaseAction]
    /// Takes a datagram. One that is malformed, not expected or not meant for this interface changes nothing.
    ///
    /// - Parameter sender: the link-layer address it came from; empty where that does not matter.
    mutating func receive(_ bytes: [UInt8], from sender: HardwareAddress, at now: Int) -> [LeaseAction]
    /// Gives the address back: one datagram, which nobody answers or waits for.
    mutating func release(at now: Int) -> [LeaseAction]
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

/// When to ask again without an answer: first soon, then less often, each time a tenth of the interval earlier or later, so that many clients
/// do not ask as one.
package struct Retransmission: Hashable, Sendable {
    /// Milliseconds. Both protocols allow longer times (RFC 2131 section 4.1, RFC 8415 section 15), but a container waits for the answer.
    package static let first = 1000
    package static let longest = 4000

    package private(set) var count = 0
    private var interval = Self.first

    package init() {}

    /// - Parameter random: any number.
    package mutating func next(_ random: UInt32) -> Int {
        defer { interval = min(interval * 2, Self.longest) }
        count += 1
        return interval - interval / 10 + Int(random) % (interval / 5)
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
    /// True when it can be one host's: not zero, loopback, multicast or broadcast, and not of a range that every host has.
    package var isHost: Bool {
        if isV6 {
            // Zero and loopback, IPv4 mapped into IPv6 and the like (::/8), link-local, multicast.
            return bytes[0] != 0 && bytes[0] != 0xff && !isLinkLocal
        }
        return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224 && !isLinkLocal
    }
}
