// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import JournalModel
import Linux
import NetworkModel
import Primitives

/// The process of one DHCP client: `nearside-nri` under another name, without any privilege. It inherits its socket as descriptor 3, and
/// writes each lease to descriptor 1 as ``Lease/text`` with an empty line after it.
///
/// ## Concurrency model
/// One thread.
package enum LeaseClientProcess {
    /// The name (argv[0]) under which the program runs as a DHCP client.
    static let name = "nearside-dhcp"
    private static let socket: Int32 = 3
    /// The number of datagrams read in a second, which bounds the cost of a flood.
    private static let maxDatagrams = 200

    /// True when this process was started as a DHCP client.
    package static var isMeant: Bool { CommandLine.arguments.first == name }

    /// The arguments of the client of an interface: family, number, type, hardware address, broadcast address, former address, and the
    /// server that assigned it.
    static func words(_ family: Lease.Family, _ interface: LeaseInterface, former: IPAddress?, giver: [UInt8]?) -> [String] {
        [
            name, family.rawValue, "\(interface.index)", "\(interface.type)", "\(interface.address)", "\(interface.broadcast)",
        ] + (former.map { ["\($0)"] + (giver.map { [Hex.text($0)] } ?? []) } ?? [])
    }

    /// Serves until SIGTERM, or until the daemon closes its end of the pipe. On SIGTERM it returns the address to its server.
    ///
    /// - Returns: the exit status.
    package static func run() -> Int32 {
        let words = CommandLine.arguments
        guard CLinux_be_undumpable() == 0, (6...8).contains(words.count), let family = Lease.Family(rawValue: words[1]),
            let index = Int32(words[2]), let type = UInt16(words[3]), let address = HardwareAddress(parsing: words[4]),
            let broadcast = HardwareAddress(parsing: words[5])
        else { return 2 }
        let interface = LeaseInterface(index: index, type: type, address: address, broadcast: broadcast)
        let former = words.count > 6 ? IPAddress(parsing: words[6]) : nil
        let giver = words.count > 7 ? Lease.bytes(words[7]) : nil
        let random: @Sendable () -> UInt32 = { UInt32.random(in: 0 ... .max) }
        do throws(SystemError) {
            switch family {
            case .v4:
                var client = DHCPv4Client(interface, former: former, giver: giver, at: .now, random: random)
                return try serve(&client, interface, family)
            case .v6:
                var client = DHCPv6Client(interface, former: former, giver: giver, at: .now, random: random)
                return try serve(&client, interface, family)
            }
        } catch { return 1 }
    }

    private static func serve(
        _ client: inout some LeaseExchange, _ interface: LeaseInterface, _ family: Lease.Family
    ) throws(SystemError) -> Int32 {
        let termination = try Termination.descriptor()
        // The kernel may lack seccomp.
        do throws(SystemError) { try SystemCallFilter.leaseClient.install() } catch {
            if ![EINVAL, ENOSYS].contains(error.code) { throw error }
        }
        var (window, datagrams) = (Deadline.now, 0)
        while true {
            // Sending fails without a link-local address or a link; the next request may succeed.
            for action in client.wake(at: .now) { try perform(action, interface, family) }
            if window.hasPassed { (window, datagrams) = (.after(.seconds(1)), 0) }
            let isFlooded = datagrams >= maxDatagrams
            // poll(2) reports the end of the pipe's reader as POLLERR, without a request.
            var entries = [pollfd(fd: termination.raw, events: Int16(POLLIN), revents: 0), pollfd(fd: 1, events: 0, revents: 0)]
            if !isFlooded { entries.append(pollfd(fd: socket, events: Int16(POLLIN), revents: 0)) }
            let end = [client.deadline.map { Deadline($0) }, isFlooded ? window : nil].compactMap(\.self).min()
            // SAFETY: the call stays within the size of each argument, and keeps no pointer.
            guard unsafe poll(&entries, nfds_t(entries.count), Int32(clamping: end?.remaining.milliseconds ?? -1)) >= 0 || errno == EINTR
            else {
                return 1
            }
            if entries[0].revents != 0 {
                for action in client.release(at: .now) { try perform(action, interface, family) }
                return 0
            }
            if entries[1].revents != 0 { return 0 }
            guard entries.count > 2, entries[2].revents != 0 else { continue }
            datagrams += 1
            guard let (bytes, sender) = try receive(family == .v6) else { continue }
            for action in client.receive(bytes, from: sender, at: .now) { try perform(action, interface, family) }
        }
    }

    private static func perform(_ action: LeaseAction, _ interface: LeaseInterface, _ family: Lease.Family) throws(SystemError) {
        switch action {
        case .report(let lease):
            let text = [UInt8]((lease.text + "\n").utf8)
            // A write of up to PIPE_BUF bytes (4096) to a pipe is atomic.
            try checked("report", "a lease") { unsafe write(1, text, text.count) }
        case .send(let bytes, let target):
            // ff02::1:2 is the group of all servers and relays of the link (RFC 8415 section 7.1).
            let servers: [UInt8] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]
            if family == .v4 {
                let link = (target ?? interface.broadcast).bytes
                _ = unsafe CLinux_send_packet(socket, bytes, bytes.count, interface.index, Int32(ETH_P_IP), link, link.count)
            } else {
                _ = unsafe CLinux_send_v6(socket, bytes, bytes.count, servers, 547, interface.index)
            }
        }
    }

    /// Receives a datagram; nil if no server sent it.
    private static func receive(_ isV6: Bool) throws(SystemError) -> ([UInt8], HardwareAddress)? {
        var bytes = [UInt8](repeating: 0, count: 2048)
        if isV6 {
            var address = [UInt8](repeating: 0, count: 16)
            var port: Int32 = 0
            let count = unsafe CLinux_receive_v6(socket, &bytes, bytes.count, &address, &port)
            // Servers and relays of the link answer from their link-local addresses.
            guard try isReceived(count), IPAddress(bytes: address)?.isLinkLocal == true else { return nil }
            return (Array(bytes.prefix(count)), HardwareAddress(bytes: []))
        }
        var link = [UInt8](repeating: 0, count: 32)
        var length = 0
        let count = unsafe CLinux_receive_packet(socket, &bytes, bytes.count, &link, &length)
        guard try isReceived(count) else { return nil }
        return (Array(bytes.prefix(count)), HardwareAddress(bytes: link.prefix(length)))
    }

    private static func isReceived(_ count: Int) throws(SystemError) -> Bool {
        if count >= 0 { return true }
        // The link may be down.
        if [EAGAIN, EINTR, ENETDOWN].contains(errno) { return false }
        throw SystemError("receive", "socket")
    }
}
