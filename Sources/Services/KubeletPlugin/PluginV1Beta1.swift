// SPDX-License-Identifier: Apache-2.0

import ClaimPreparation
import GRPCCore
import JournalModel
import KubeletAPI
import SwiftProtobuf

/// Serves DRA in API version v1beta1.
struct PluginV1Beta1: DRAV1Beta1DRAPlugin.SimpleServiceProtocol {
    let calls: ClaimCalls

    func nodePrepareResources(
        request: DRAV1Beta1NodePrepareResourcesRequest, context: ServerContext
    ) async throws -> DRAV1Beta1NodePrepareResourcesResponse {
        var response = DRAV1Beta1NodePrepareResourcesResponse()
        for entry in await calls.prepare(request.claims.map(ClaimIdentity.init)) {
            response.claims[entry.uid] = .with {
                $0.devices = entry.devices.map(DRAV1Beta1Device.init)
                $0.error = entry.error
            }
        }
        return response
    }

    func nodeUnprepareResources(
        request: DRAV1Beta1NodeUnprepareResourcesRequest, context: ServerContext
    ) async throws -> DRAV1Beta1NodeUnprepareResourcesResponse {
        var response = DRAV1Beta1NodeUnprepareResourcesResponse()
        for entry in await calls.unprepare(request.claims.map(ClaimIdentity.init)) {
            response.claims[entry.uid] = .with { $0.error = entry.error }
        }
        return response
    }
}

extension ClaimIdentity {
    init(_ claim: DRAV1Beta1Claim) {
        self.init(namespace: claim.namespace, name: claim.name, uid: claim.uid)
    }
}

extension DRAV1Beta1Device {
    init(_ device: PreparedDevice) {
        self.init()
        requestNames = device.requests
        poolName = device.pool
        deviceName = device.device
        cdiDeviceIds = device.cdiDeviceIDs
    }
}
