// SPDX-License-Identifier: Apache-2.0

import CGRPC
import FoundationEssentials
package import KubeletAPI
package import SwiftProtobuf

/// The kubelet's side: finds the registration socket, registers, prepares and unprepares.
///
/// It uses libgrpc, with the authorities that a kubelet sends: the escaped path of the registration socket, and
/// `localhost` for the other socket.
package final class KubeletPeer: @unchecked Sendable {
    /// A failed call.
    package struct Failure: Error, CustomStringConvertible {
        package var status: Int32
        package var details: String
        package var description: String { "gRPC status \(status): \(details)" }
    }

    /// An open channel to one socket.
    package final class Channel: @unchecked Sendable {
        private let channel: UnsafeMutableRawPointer

        package init?(socket: String, authority: String) {
            guard let channel = CGRPC_open("unix:\(socket)", authority) else { return nil }
            self.channel = channel
        }

        deinit { CGRPC_close(channel) }

        package func call(
            _ method: String, _ bytes: [UInt8], milliseconds: Int64 = 45_000
        ) throws(Failure) -> [UInt8] {
            var reply = CGRPC_call(channel, method, bytes, bytes.count, milliseconds)
            defer { CGRPC_free(&reply) }
            let details = reply.details.map { String(cString: $0) } ?? ""
            guard reply.status == 0 else { throw Failure(status: reply.status, details: details) }
            return Array(UnsafeBufferPointer(start: reply.bytes, count: reply.count))
        }

        fileprivate func stream(_ method: String) -> UnsafeMutableRawPointer? { CGRPC_stream(channel, method, [], 0) }

        package func call<Answer: Message>(
            _ method: String, _ request: some Message, milliseconds: Int64 = 45_000
        ) throws -> Answer {
            try Answer(serializedBytes: try call(method, try request.serializedBytes(), milliseconds: milliseconds))
        }
    }

    /// A stream of messages from the peer.
    package final class Stream<Answer: Message>: @unchecked Sendable {
        private let stream: UnsafeMutableRawPointer
        private let channel: Channel

        fileprivate init?(_ channel: Channel, _ opaque: UnsafeMutableRawPointer?) {
            guard let opaque else { return nil }
            (self.channel, stream) = (channel, opaque)
        }

        deinit { CGRPC_end(stream) }

        /// Returns nil after the time-out.
        package func next(milliseconds: Int64 = 10_000) throws -> Answer? {
            var reply = CGRPC_next(stream, milliseconds)
            defer { CGRPC_free(&reply) }
            if reply.status == 4 { return nil }
            guard reply.status == 0 else { throw Failure(status: reply.status, details: "the stream has ended") }
            return try Answer(serializedBytes: Array(UnsafeBufferPointer(start: reply.bytes, count: reply.count)))
        }
    }

    package let info: RegistrationPluginInfo
    private let timeout: Int64
    private let service: Channel

    /// - Parameters:
    ///   - refusal: the reason to refuse the registration; nil to accept it.
    ///   - timeout: the time-out of a call in milliseconds.
    package init(registrationSocket: String, refusal: String? = nil, timeout: Int = 45_000) throws {
        self.timeout = Int64(timeout)
        let authority = registrationSocket.utf8.map { byte in
            byte == UInt8(ascii: "/") ? "%2F" : String(UnicodeScalar(byte))
        }.joined()
        guard let registration = Channel(socket: registrationSocket, authority: authority) else {
            throw Failure(status: 14, details: "no channel to \(registrationSocket)")
        }
        info = try registration.call(
            "/pluginregistration.Registration/GetInfo", RegistrationInfoRequest(), milliseconds: 10_000)
        guard let service = Channel(socket: info.endpoint, authority: "localhost") else {
            throw Failure(status: 14, details: "no channel to \(info.endpoint)")
        }
        self.service = service
        var status = RegistrationRegistrationStatus()
        status.pluginRegistered = refusal == nil
        status.error = refusal ?? ""
        let _: RegistrationRegistrationStatusResponse = try registration.call(
            "/pluginregistration.Registration/NotifyRegistrationStatus", status, milliseconds: 10_000)
    }

    /// Watches the health of all devices.
    package func watchHealth<Answer: Message>(_ version: String, _ type: Answer.Type) throws -> Stream<Answer> {
        guard let stream = Stream<Answer>(service, service.stream("/\(version).DRAResourceHealth/NodeWatchResources")) else {
            throw Failure(status: 13, details: "no memory")
        }
        return stream
    }

    private static let prefix = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/"

    /// Prepares a claim, and returns its devices; throws the error of the claim's entry.
    package func prepare(namespace: String, name: String, uid: String) throws -> [DRAV1Device] {
        var claim = DRAV1Claim()
        (claim.namespace, claim.name, claim.uid) = (namespace, name, uid)
        var request = DRAV1NodePrepareResourcesRequest()
        request.claims = [claim]
        let response: DRAV1NodePrepareResourcesResponse = try service.call(
            Self.prefix + "NodePrepareResources", request, milliseconds: timeout)
        guard let entry = response.claims[uid] else { throw Failure(status: 13, details: "no entry for \(uid)") }
        if !entry.error.isEmpty { throw Failure(status: 0, details: entry.error) }
        return entry.devices
    }

    /// A call without claims, which measures the cost of gRPC.
    package func prepareNothing() throws {
        let _: DRAV1NodePrepareResourcesResponse = try service.call(
            Self.prefix + "NodePrepareResources", DRAV1NodePrepareResourcesRequest(), milliseconds: timeout)
    }

    package func unprepare(namespace: String, name: String, uid: String) throws {
        var claim = DRAV1Claim()
        (claim.namespace, claim.name, claim.uid) = (namespace, name, uid)
        var request = DRAV1NodeUnprepareResourcesRequest()
        request.claims = [claim]
        let response: DRAV1NodeUnprepareResourcesResponse = try service.call(
            Self.prefix + "NodeUnprepareResources", request, milliseconds: timeout)
        guard let entry = response.claims[uid] else { throw Failure(status: 13, details: "no entry for \(uid)") }
        if !entry.error.isEmpty { throw Failure(status: 0, details: entry.error) }
    }
}
