// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Unix stream sockets.
package enum UnixSocket {
    /// Connects to a socket.
    ///
    /// - Parameter timeout: the time-out of the connection, and later of each send and receive; nil for none.
    package static func connect(_ path: String, timeout: Duration? = nil) throws(SystemError) -> Descriptor {
        let socket = try open(path)
        if let timeout { try setTimeout(socket, timeout) }
        var address = try address(of: path)
        try checked("connect", path) { unsafe CLinux_connect_unix(socket.raw, &address) }
        return socket
    }

    /// Listens at the path. Replaces an existing file unless another program listens there.
    ///
    /// - Throws: ``SystemError`` with EADDRINUSE if another program listens.
    package static func listen(_ path: String, mode: UInt32 = 0o600) throws(SystemError) -> Descriptor {
        let socket = try open(path)
        var address = try address(of: path)
        if (try? connect(path)) != nil { throw SystemError("listen", path, code: EADDRINUSE) }
        try Files.remove(path)
        try checked("bind", path) { unsafe CLinux_bind_unix(socket.raw, &address) }
        try checked("protect", path) { unsafe chmod(path, mode) }
        try checked("listen", path) { Glibc.listen(socket.raw, 64) }
        return socket
    }

    /// Removes the file of a socket that no process serves. May block while a listener's queue is full.
    ///
    /// - Returns: true if there was such a file.
    package static func removeDead(_ path: String) -> Bool {
        do throws(SystemError) {
            _ = try connect(path)
            return false
        } catch {
            guard error.isRefused else { return false }
            return (try? Files.remove(path)) != nil
        }
    }

    /// Accepts a connection.
    package static func accept(_ listener: Descriptor) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try checked("accept", "descriptor \(listener.raw)") {
                CLinux_accept(listener.raw)
            })
    }

    /// True if root opened the other end of the connection (unix(7), SO_PEERCRED).
    package static func isRoot(_ socket: Descriptor) -> Bool { CLinux_peer_user(socket.raw) == 0 }

    /// Creates two connected sockets.
    package static func pair() throws(SystemError) -> (Descriptor, Descriptor) {
        try unsafe Descriptor.pair("socket pair") { unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, $0) }
    }

    /// Sends all bytes, and the descriptor with the first byte.
    package static func send(
        _ bytes: [UInt8], descriptor: Descriptor? = nil, to socket: Descriptor
    ) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            sent += try checked("send", "socket") {
                // SAFETY: `sent` is less than the number of bytes, and the pointer does not outlive the closure.
                unsafe bytes.withUnsafeBytes {
                    unsafe CLinux_send(
                        socket.raw, $0.baseAddress.map { unsafe $0 + sent }, bytes.count - sent,
                        sent == 0 ? descriptor?.raw ?? -1 : -1)
                }
            }
        }
    }

    /// Receives once, with at most one descriptor; no bytes at the end of the connection.
    package static func receive(
        from socket: Descriptor, atMost limit: Int = 65536
    ) throws(SystemError) -> (bytes: [UInt8], descriptor: Descriptor?) {
        var buffer = [UInt8](repeating: 0, count: limit)
        var number: Int32 = -1
        let count = try checked("receive", "socket") {
            // SAFETY: the buffer has `limit` bytes, and the call writes no more.
            unsafe buffer.withUnsafeMutableBytes { unsafe CLinux_receive(socket.raw, $0.baseAddress, limit, &number) }
        }
        buffer.removeLast(limit - count)
        return (buffer, number < 0 ? nil : Descriptor(owning: number))
    }

    /// Sets the time-out of each send and receive, which then fail with EAGAIN. At least a millisecond, because the kernel takes 0 for none.
    package static func setTimeout(_ socket: Descriptor, _ timeout: Duration) throws(SystemError) {
        let milliseconds = max(timeout.milliseconds, 1)
        let time = timeval(tv_sec: milliseconds / 1000, tv_usec: (milliseconds % 1000) * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] { try socket.set(option, to: time) }
    }

    private static func open(_ path: String) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try checked("open a socket", path) {
                socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            })
    }

    private static func address(of path: String) throws(SystemError) -> sockaddr_un {
        var address = sockaddr_un()
        guard unsafe CLinux_unix_address(path, &address) == 0 else {
            throw SystemError("use as the path of a socket, of at most 107 bytes", path, code: ENAMETOOLONG)
        }
        return address
    }
}
