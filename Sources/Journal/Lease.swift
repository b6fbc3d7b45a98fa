// SPDX-License-Identifier: Apache-2.0

package import Addressing

/// What a DHCP server gave (RFC 2131, RFC 3442), as the client tells its script and the script writes it down: `NAME=VALUE`, a line
/// each.
///
///     ip=192.0.2.20
///     mask=24
///     lease=3600
///     staticroutes=198.51.100.0/24 192.0.2.1
///     at=81234567
package struct Lease: Hashable, Sendable {
    package struct Route: Hashable, Sendable {
        package var destination: IPPrefix
        /// Nil for one that ends on the link.
        package var gateway: IPAddress?
    }

    /// Nil when the server has taken it back.
    package var address: IPPrefix?
    /// Seconds it is good for, from when it was given; nil is for ever.
    package var seconds: UInt32?
    /// When that was, in milliseconds of the clock that never jumps.
    package var time: Int
    /// What lies behind routers of the link. Default routes are not among them: the pod's is its network's.
    package var routes: [Route]

    /// The variables of the client that count.
    package static let variables = ["ip", "mask", "lease", "staticroutes"]

    /// Nil for what is no lease.
    package init?(text: String) {
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            guard let end = line.firstIndex(of: "=") else { return nil }
            values[line[..<end]] = line[line.index(after: end)...]
        }
        time = values["at"].flatMap { Int($0) } ?? 0
        // Within it, nothing that follows from it is too large.
        guard (0...(1 << 53)).contains(time) else { return nil }
        seconds = values["lease"].flatMap { UInt32($0) }.flatMap { $0 == .max ? nil : $0 }
        routes = []
        guard let ip = values["ip"] else { return }
        guard let own = IPAddress(parsing: String(ip)), !own.isV6, let length = values["mask"].flatMap({ Int($0) }),
            (1...32).contains(length)
        else { return nil }
        address = IPPrefix(address: own, length: length)
        let words = (values["staticroutes"] ?? "").split(separator: " ")
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            guard let destination = IPPrefix(parsing: String(words[index])), destination.length > 0, !destination.address.isV6,
                let gateway = IPAddress(parsing: String(words[index + 1])), !gateway.isV6
            else { continue }
            routes.append(Route(destination: destination, gateway: gateway.bytes.allSatisfy { $0 == 0 } ? nil : gateway))
        }
    }

    /// When it runs out, on the clock of ``time``; nil is never.
    package var end: Int? { seconds.map { time + Int($0) * 1000 } }

    package func hasEnded(at now: Int) -> Bool { end.map { $0 <= now } ?? false }

    /// Seconds that are left of it; nil is for ever.
    package func left(at now: Int) -> UInt32? { end.map { UInt32(clamping: max(0, $0 - now + 999) / 1000) } }
}
