// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The remote addresses of this process's IP connections.
package enum PeerAddresses {
    /// Returns the remote addresses of connections to a port, without duplicates, as 4 or 16 bytes in network order.
    ///
    /// If the node's network redirects connections when they are made (socket load balancing), these are the real
    /// addresses.
    package static func connected(toPort port: UInt16) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for name in Files.list("/proc/self/fd") {
            guard let descriptor = Int32(name), let peer = peer(of: descriptor), peer.port == port else { continue }
            if !found.contains(peer.address) { found.append(peer.address) }
        }
        return found
    }

    private static func peer(of descriptor: Int32) -> (address: [UInt8], port: UInt16)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // SAFETY: sockaddr_storage has room for every address, and getpeername(2) writes at most `length` bytes.
        let bytes = unsafe withUnsafeMutableBytes(of: &storage) { storage in
            let address = unsafe storage.assumingMemoryBound(to: sockaddr.self).baseAddress
            guard let address = unsafe address, unsafe getpeername(descriptor, address, &length) == 0 else { return [UInt8]() }
            return unsafe [UInt8](storage.prefix(Int(length)))
        }
        // struct sockaddr_in: family, port, address. struct sockaddr_in6: family, port, flow, address.
        let range: Range<Int>
        switch Int32(storage.ss_family) {
        case AF_INET: range = 4..<8
        case AF_INET6: range = 8..<24
        default: return nil
        }
        guard bytes.count >= range.upperBound else { return nil }
        var address = [UInt8](bytes[range])
        // ::ffff:0:0/96: IPv4 over an IPv6 socket.
        if address.count == 16, address.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] { address.removeFirst(12) }
        return (address, UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
    }
}
