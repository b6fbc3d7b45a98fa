// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Linux

/// Memory for the kernel's datagrams, several of which one system call receives: a dump's answer and its end are two.
// SAFETY: the memory is mapped as long as the object lives, and only read within the sizes that the kernel reports.
@safe final class ReceiveBuffer {
    /// The size for a datagram in bytes. A datagram of a dump has at most 32 KiB, or one larger object (netlink_dump in af_netlink.c). Of
    /// an interface's attributes, each at most 64 KiB, only alternative names, virtual functions and settings of families can reach that
    /// length, so that no object exceeds this size. A page uses memory only after it was written.
    private static let room = 1 << 20
    private static let count = 4

    private let bytes: UnsafeMutableRawBufferPointer

    init() throws(SystemError) {
        let size = Self.room * Self.count
        let start = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let start = unsafe start, unsafe start != MAP_FAILED else { throw SystemError("allocate", "\(size) bytes of memory") }
        unsafe bytes = unsafe UnsafeMutableRawBufferPointer(start: start, count: size)
    }

    deinit { unsafe munmap(bytes.baseAddress, bytes.count) }

    /// Receives the available datagrams; nil if there are none. Skips datagrams of other processes.
    func receive(from descriptor: Descriptor) throws(SystemError) -> [[UInt8]]? {
        var sizes = [Int](repeating: 0, count: Self.count)
        let received: Int32
        do throws(SystemError) {
            received = try checked("receive", "netlink socket") {
                unsafe CLinux_receive_datagrams(descriptor.raw, bytes.baseAddress, Self.room, UInt32(Self.count), &sizes)
            }
        } catch {
            if error.code == EAGAIN { return nil }
            throw error
        }
        var datagrams: [[UInt8]] = []
        for (index, size) in sizes.prefix(Int(received)).enumerated() where size > 0 {
            // A larger datagram was truncated.
            if size > Self.room { throw SystemError("receive \(size) bytes", "netlink socket", code: EMSGSIZE) }
            unsafe datagrams.append([UInt8](bytes[index * Self.room..<index * Self.room + size]))
        }
        return datagrams
    }
}
