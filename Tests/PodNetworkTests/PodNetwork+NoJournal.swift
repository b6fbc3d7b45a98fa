// SPDX-License-Identifier: Apache-2.0

import Linux
import PodNetwork

extension PodNetwork {
    /// Attaches without a journal: a test keeps the requests itself.
    func attach(_ requests: [AttachRequest], to namespace: NetworkNamespace) throws(PodNetworkError) -> [AttachedInterface] {
        try attach(requests, to: namespace, record: {})
    }
}
