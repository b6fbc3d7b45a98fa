// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Unix stream sockets.
package enum UnixSocket {
    /// Connects, and waits at most as long as the listener's queue takes, or as is said.
    package static func connect(_ path: String, milliseconds: Int? = nil) throws(SystemError) -> Descriptor {
        let socket = try open(path)
        if let milliseconds { try setTimeout(socket, milliseconds: milliseconds) }
        var address = try address(of: path)
        try checked("connect to", path) { CLinux_connect_unix(socket.raw, &address) }
        return socket
    }

    /// Listens at the path; a file of that name that nobody serves is replaced.
    package static func listen(_ path: String, mode: UInt32 = 0o600) throws(SystemError) -> Descriptor {
        let socket = try open(path)
        var address = try address(of: path)
        if (try? connect(path)) != nil { throw SystemError("listen at", path, code: EADDRINUSE) }
        try Files.remove(path)
        try checked("bind", path) { CLinux_bind_unix(socket.raw, &address) }
        try checked("protect", path) { chmod(path, mode) }
        try checked("listen at", path) { Glibc.listen(socket.raw, 64) }
        return socket
    }

    /// Removes the file of a socket that no process serves any more. It can block as long as a listener's queue is full.
    ///
    /// - Returns: true when there was such a file.
    package static func removeDead(_ path: String) -> Bool {
        do throws(SystemError) {
            _ = try connect(path)
            return false
        } catch {
            guard error.isRefused else { return false }
            return (try? Files.remove(path)) != nil
        }
    }

    package static func accept(_ listener: Descriptor) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try checked("accept on", "descriptor \(listener.raw)") {
                CLinux_accept(listener.raw)
            })
    }

    /// True when the other end belongs to root: the socket's file says who may connect, and this says who did (unix(7), SO_PEERCRED).
    package static func isRoot(_ socket: Descriptor) -> Bool { CLinux_peer_user(socket.raw) == 0 }

    /// Two ends that are connected to each other.
    package static func pair() throws(SystemError) -> (Descriptor, Descriptor) {
        var ends: [Int32] = [-1, -1]
        try checked("make", "socket pair") {
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
        }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    /// Sends all bytes; the descriptor travels with the first of them.
    package static func send(
        _ bytes: [UInt8], descriptor: Descriptor? = nil, to socket: Descriptor
    ) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            sent += try checked("send to", "socket") {
                bytes.withUnsafeBytes {
                    CLinux_send(
                        socket.raw, $0.baseAddress.map { $0 + sent }, bytes.count - sent,
                        sent == 0 ? descriptor?.raw ?? -1 : -1)
                }
            }
        }
    }

    /// Receives what is there, with a descriptor if one came along; no bytes at the end.
    package static func receive(
        from socket: Descriptor, atMost limit: Int = 65536
    ) throws(SystemError) -> (bytes: [UInt8], descriptor: Descriptor?) {
        var buffer = [UInt8](repeating: 0, count: limit)
        var number: Int32 = -1
        let count = try checked("receive from", "socket") {
            buffer.withUnsafeMutableBytes { CLinux_receive(socket.raw, $0.baseAddress, limit, &number) }
        }
        buffer.removeLast(limit - count)
        return (buffer, number < 0 ? nil : Descriptor(owning: number))
    }

    /// Bounds how long a receive or a send may take; afterwards it fails with EAGAIN.
    package static func setTimeout(_ socket: Descriptor, milliseconds: Int) throws(SystemError) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: (milliseconds % 1000) * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            try checked("set a timeout on", "socket") {
                setsockopt(socket.raw, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
            }
        }
    }

    private static func open(_ path: String) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try checked("open a socket for", path) {
                socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    private static func address(of path: String) throws(SystemError) -> sockaddr_un {
        var address = sockaddr_un()
        guard CLinux_unix_address(path, &address) == 0 else {
            throw SystemError("use a path of more than 107 bytes for a socket:", path, code: ENAMETOOLONG)
        }
        return address
    }
}
