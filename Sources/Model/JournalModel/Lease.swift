// SPDX-License-Identifier: Apache-2.0

package import NetworkModel
import Primitives

/// A lease of a DHCP server (RFC 2131, RFC 3442; for IPv6 RFC 8415). A client reports it, and the journal keeps it, as lines of `NAME=VALUE`:
///
///     ip=192.0.2.20
///     mask=24
///     lease=3600
///     preferred=1800
///     server=c0000201020000000009
///     staticroutes=198.51.100.0/24 192.0.2.1
///     at=81234567
package struct Lease: Hashable, Sendable {
    /// The address family of a lease.
    package enum Family: String, Hashable, Sendable, CaseIterable {
        case v4, v6

        package init(_ address: IPAddress) { self = address.isV6 ? .v6 : .v4 }

        /// The protocol's name in messages.
        package var protocolName: String { self == .v4 ? "DHCP" : "DHCPv6" }
    }

    /// The start of the machine.
    package static let clockStart = ContinuousClock().systemEpoch
    /// The limit of routes that are accepted from a server.
    package static let mostRoutes = 64
    /// The limit of a lease's text in bytes; a route takes at most 40.
    package static let longestText = 4096

    /// Nil after the server has withdrawn it.
    package var address: IPPrefix?
    /// The lifetime in seconds; nil means infinite.
    package var seconds: UInt32?
    /// The preferred lifetime in seconds; nil for the whole lifetime. IPv6 only.
    package var preferredSeconds: UInt32?
    /// The time of the assignment; in the text, milliseconds since ``clockStart``.
    package var time: ContinuousClock.Instant
    /// Data for the release: the server's identifier for IPv6; for IPv4 the server's address followed by its link-layer address.
    package var server: [UInt8]?
    /// The server's routes, before ``LeasePolicy`` is applied.
    package var routes: [RouteSpec]

    package init(
        address: IPPrefix?, seconds: UInt32?, preferredSeconds: UInt32? = nil, time: ContinuousClock.Instant = clockStart,
        server: [UInt8]? = nil,
        routes: [RouteSpec] = []
    ) {
        (self.address, self.seconds, self.preferredSeconds, self.time) = (address, seconds, preferredSeconds, time)
        (self.server, self.routes) = (server, routes)
    }

    /// Parses a lease; nil if it is invalid. All fields are checked, because the client that writes the text handles packets of unknown
    /// hosts.
    package init?(text: String, family: Family = .v4) {
        guard text.utf8.count <= Self.longestText else { return nil }
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            guard let end = line.firstIndex(of: "=") else { return nil }
            values[line[..<end]] = line[line.index(after: end)...]
        }
        let milliseconds = values["at"].flatMap { Int($0) } ?? 0
        // This bound keeps all derived times in range.
        guard (0...(1 << 53)).contains(milliseconds) else { return nil }
        time = Self.clockStart + .milliseconds(milliseconds)
        func lifetime(_ name: Substring) -> UInt32? { values[name].flatMap { UInt32($0) }.flatMap { $0 == .max ? nil : $0 } }
        seconds = lifetime("lease")
        preferredSeconds = lifetime("preferred")
        routes = []
        guard let ip = values["ip"] else { return }
        guard let own = IPAddress(parsing: String(ip)), Family(own) == family, let length = values["mask"].flatMap({ Int($0) }),
            (1...own.bitCount).contains(length)
        else { return nil }
        address = IPPrefix(address: own, length: length)
        if let hexadecimal = values["server"] {
            guard let bytes = Self.bytes(hexadecimal) else { return nil }
            server = bytes
        }
        let words = (values["staticroutes"] ?? "").split(separator: " ")
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            guard let destination = IPPrefix(parsing: String(words[index])), !destination.address.isV6, destination.isNetwork,
                let gateway = IPAddress(parsing: String(words[index + 1])), !gateway.isV6, routes.count < Self.mostRoutes
            else { continue }
            routes.append(RouteSpec(destination: destination, gateway: gateway == .anyV4 ? nil : gateway))
        }
    }

    /// The longest identifier of a server: 130 bytes of DHCPv6 (RFC 8415 section 11.1).
    private static let longestServer = 130

    /// Parses a list of bytes with two digits each; nil if it is malformed, or longer than any identifier.
    package static func bytes(_ hexadecimal: some StringProtocol) -> [UInt8]? {
        guard (2...2 * longestServer).contains(hexadecimal.utf8.count) else { return nil }
        return Hex.bytes(hexadecimal)
    }

    /// The text that ``init(text:family:)`` parses.
    package var text: String {
        var lines: [String] = []
        if let address { lines += ["ip=\(address.address)", "mask=\(address.length)"] }
        if let seconds { lines.append("lease=\(seconds)") }
        if let preferredSeconds { lines.append("preferred=\(preferredSeconds)") }
        if let server { lines.append("server=\(Hex.text(server))") }
        if !routes.isEmpty {
            lines.append("staticroutes=" + routes.map { "\($0.destination) \($0.gateway ?? .anyV4)" }.joined(separator: " "))
        }
        let (seconds, attoseconds) = Self.clockStart.duration(to: time).components
        return (lines + ["at=\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)"]).joined(separator: "\n") + "\n"
    }

    /// The end of the lease; nil for an infinite lease.
    package var end: ContinuousClock.Instant? { seconds.map { time + .seconds($0) } }

    /// Returns true if the lease has expired.
    package func hasEnded(at now: ContinuousClock.Instant) -> Bool { end.map { $0 <= now } ?? false }

    /// The remaining seconds; nil for an infinite lease.
    package func left(at now: ContinuousClock.Instant) -> UInt32? { Self.left(of: seconds, since: time, at: now) }
    /// Returns the remaining seconds of the preferred lifetime.
    package func preferredLeft(at now: ContinuousClock.Instant) -> UInt32? {
        Self.left(of: preferredSeconds ?? seconds, since: time, at: now)
    }

    private static func left(
        of seconds: UInt32?, since time: ContinuousClock.Instant, at now: ContinuousClock.Instant
    ) -> UInt32? {
        seconds.map {
            let left = now.duration(to: time + .seconds($0)).components
            return UInt32(clamping: left.seconds + (left.attoseconds > 0 ? 1 : 0))
        }
    }
}
