// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import Journal
import KubeletAPI
import Preparation

/// DRA as the kubelet speaks it in API version v1.
///
/// Every claim of a request gets its own entry in the answer, with an error if it has one: the call as a
/// whole does not fail.
struct PluginV1: DRAV1DRAPlugin.SimpleServiceProtocol {
    let handler: any ClaimHandler

    func nodePrepareResources(
        request: DRAV1NodePrepareResourcesRequest, context: ServerContext
    ) async throws -> DRAV1NodePrepareResourcesResponse {
        var response = DRAV1NodePrepareResourcesResponse()
        for claim in request.claims {
            var entry = DRAV1NodePrepareResourceResponse()
            do throws(ClaimError) {
                entry.devices = try await handler.prepare(ClaimIdentity(claim)).map(DRAV1Device.init)
            } catch { entry.error = error.description }
            response.claims[claim.uid] = entry
        }
        return response
    }

    func nodeUnprepareResources(
        request: DRAV1NodeUnprepareResourcesRequest, context: ServerContext
    ) async throws -> DRAV1NodeUnprepareResourcesResponse {
        var response = DRAV1NodeUnprepareResourcesResponse()
        for claim in request.claims {
            var entry = DRAV1NodeUnprepareResourceResponse()
            do throws(ClaimError) { try await handler.unprepare(ClaimIdentity(claim)) } catch {
                entry.error = error.description
            }
            response.claims[claim.uid] = entry
        }
        return response
    }
}

extension ClaimIdentity {
    init(_ claim: DRAV1Claim) {
        self.init(namespace: claim.namespace, name: claim.name, uid: claim.uid)
    }
}

extension DRAV1Device {
    init(_ device: PreparedDevice) {
        self.init()
        requestNames = device.requests
        poolName = device.pool
        deviceName = device.device
        cdiDeviceIds = device.cdiDeviceIDs
    }
}
