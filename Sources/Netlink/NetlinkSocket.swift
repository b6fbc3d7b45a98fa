// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import Linux

/// A request the kernel refused, in full: what we wanted, its errno, and its own words.
package struct NetlinkError: Error, Hashable, CustomStringConvertible {
    package var operation: String
    package var code: Int32
    /// The extended acknowledgement; also says what was wrong with an answer.
    package var text: String?

    package init(_ operation: String, code: Int32, text: String? = nil) {
        self.operation = operation
        self.code = code
        self.text = text
    }

    package init(_ operation: String, _ error: SystemError) {
        self.init(operation, code: error.code, text: error.description)
    }

    package var description: String {
        "cannot \(operation): \(text.map { "\($0) (\(SystemError.text(of: code)))" } ?? SystemError.text(of: code))"
    }
}

/// A socket for requests to the kernel, bound to the namespace of the thread that opened it.
///
/// Not safe for use by two threads at once: a request and its answer belong together.
package final class NetlinkSocket {
    private let descriptor: Descriptor
    private var sequence: UInt32 = 0

    /// How often an interrupted dump is begun anew before its last result is an error.
    private static let dumpAttempts = 10

    package init(family: Int32 = NETLINK_ROUTE) throws(NetlinkError) {
        do throws(SystemError) {
            descriptor = Descriptor(
                owning: try checked("open", "netlink socket") {
                    socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), family)
                })
            try checked("bind", "netlink socket") { CLinux_bind_netlink(descriptor.raw, 0) }
            var on: Int32 = 1
            for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK] {
                // Old kernels lack one or the other; requests work without.
                _ = setsockopt(descriptor.raw, SOL_NETLINK, Int32(option), &on, socklen_t(MemoryLayout<Int32>.size))
            }
            // A dump of a large table comes in bursts.
            var size: Int32 = 1 << 20
            _ = setsockopt(descriptor.raw, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        } catch { throw NetlinkError("open a netlink socket", error) }
    }

    /// Sends a request and waits for its acknowledgement.
    package func execute(
        _ operation: @autoclosure () -> String, type: Int, flags: Int32 = 0, payload: [UInt8]
    ) throws(NetlinkError) {
        _ = try transact(operation, type: type, flags: flags | NLM_F_ACK, payload: payload)
    }

    /// Asks for one object.
    package func get(
        _ operation: @autoclosure () -> String, type: Int, payload: [UInt8]
    ) throws(NetlinkError) -> Message {
        guard let message = try transact(operation, type: type, flags: NLM_F_ACK, payload: payload).first else {
            throw NetlinkError(operation(), code: EPROTO, text: "the kernel's answer is empty")
        }
        return message
    }

    /// Asks for all objects of a kind. A dump that changes under the kernel's hands is begun anew.
    package func dump(
        _ operation: @autoclosure () -> String, type: Int, payload: [UInt8]
    ) throws(NetlinkError) -> [Message] {
        for _ in 0..<Self.dumpAttempts {
            let messages = try transact(operation, type: type, flags: NLM_F_DUMP, payload: payload)
            if !messages.contains(where: { Int32($0.flags) & NLM_F_DUMP_INTR != 0 }) { return messages }
        }
        throw NetlinkError(operation(), code: EAGAIN, text: "the table keeps changing while it is read")
    }

    private func transact(
        _ operation: () -> String, type: Int, flags: Int32, payload: [UInt8]
    ) throws(NetlinkError) -> [Message] {
        sequence &+= 1
        let request = Message(
            type: UInt16(truncatingIfNeeded: type), flags: UInt16(truncatingIfNeeded: flags | NLM_F_REQUEST),
            sequence: sequence, payload: payload
        ).bytes
        do throws(SystemError) {
            try checked("send to", "netlink socket") {
                request.withUnsafeBytes { send(descriptor.raw, $0.baseAddress, $0.count, 0) }
            }
        } catch { throw NetlinkError(operation(), error) }
        var answers: [Message] = []
        while true {
            let datagram: [UInt8]
            do throws(SystemError) { datagram = try receive() } catch { throw NetlinkError(operation(), error) }
            guard let messages = Message.list(datagram[...]) else {
                throw NetlinkError(operation(), code: EPROTO, text: "the kernel's answer is malformed")
            }
            // Whatever belongs to an earlier request that was given up is passed over.
            for message in messages where message.sequence == sequence {
                switch Int32(message.type) {
                case NLMSG_DONE, NLMSG_ERROR:
                    let acknowledgement = Acknowledgement(message)
                    if let acknowledgement, acknowledgement.code != 0 {
                        throw NetlinkError(operation(), code: acknowledgement.code, text: acknowledgement.text)
                    }
                    return answers
                default:
                    answers.append(message)
                }
            }
        }
    }

    /// Twice what the kernel puts into one datagram of a dump (af_netlink.c: 32 KiB at most, when the reader
    /// has shown room for it). One object, without its virtual functions, has far less.
    private static let datagramLimit = 1 << 16

    /// One datagram, whole.
    private func receive() throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let datagram = [UInt8](unsafeUninitializedCapacity: Self.datagramLimit) { buffer, count in
            do throws(SystemError) {
                let size = try checked("receive from", "netlink socket") {
                    recv(descriptor.raw, buffer.baseAddress, buffer.count, Int32(MSG_TRUNC))
                }
                // Its end is lost, and half an answer is none.
                if size > buffer.count { throw SystemError("receive \(size) bytes from", "netlink socket", code: EMSGSIZE) }
                count = size
            } catch { failure = error }
        }
        if let failure { throw failure }
        return datagram
    }
}
