// SPDX-License-Identifier: Apache-2.0

import KubeletAPI
import SwiftProtobuf
import Testbed
import Testing

/// The generated code compared with the kubelet's field numbers.
struct KubeletMessageTests {
    private func check<Value: Message & Equatable>(_ message: Value, _ golden: String) throws {
        let bytes: [UInt8] = try message.serializedBytes()
        #expect(bytes == hex(golden))
        #expect(try Value(serializedBytes: hex(golden)) == message)
        for length in 0..<bytes.count {
            // A truncated message is refused, or is a shorter message; it never traps.
            _ = try? Value(serializedBytes: Array(bytes[..<length]))
        }
    }

    @Test
    func `plugin info`() throws {
        var info = RegistrationPluginInfo()
        (info.type, info.name, info.endpoint, info.supportedVersions) = ("T", "N", "/e", ["v1", "b"])
        try check(info, "0a0154 12014e 1a022f65 22027631 220162")
    }

    @Test
    func `registration status`() throws {
        var status = RegistrationRegistrationStatus()
        (status.pluginRegistered, status.error) = (true, "E")
        try check(status, "0801 120145")
    }

    @Test
    func `a claim has its UID before its name`() throws {
        var request = DRAV1NodePrepareResourcesRequest()
        var claim = DRAV1Claim()
        (claim.namespace, claim.uid, claim.name) = ("n", "u", "c")
        request.claims = [claim]
        try check(request, "0a09 0a016e 120175 1a0163")
        var beta = DRAV1Beta1Claim()
        (beta.namespace, beta.uid, beta.name) = ("n", "u", "c")
        try check(beta, "0a016e 120175 1a0163")
    }

    @Test
    func `a prepared device, in both versions`() throws {
        var device = DRAV1Device()
        (device.requestNames, device.poolName, device.deviceName, device.cdiDeviceIds) = (["r"], "p", "d", ["a/b=c"])
        try check(device, "0a0172 120170 1a0164 2205612f623d63")
        device.shareID = ""
        try check(device, "0a0172 120170 1a0164 2205612f623d63 2a00")
        var beta = DRAV1Beta1Device()
        (beta.requestNames, beta.poolName, beta.deviceName, beta.cdiDeviceIds) = (["r"], "p", "d", ["a/b=c"])
        try check(beta, "0a0172 120170 1a0164 2205612f623d63")
    }

    @Test
    func `answers are maps by claim`() throws {
        var response = DRAV1NodePrepareResourcesResponse()
        var entry = DRAV1NodePrepareResourceResponse()
        entry.error = "E"
        response.claims["u"] = entry
        try check(response, "0a08 0a0175 1203 120145")
        var released = DRAV1NodeUnprepareResourcesResponse()
        released.claims["u"] = DRAV1NodeUnprepareResourceResponse()
        try check(released, "0a05 0a0175 1200")
    }
}
