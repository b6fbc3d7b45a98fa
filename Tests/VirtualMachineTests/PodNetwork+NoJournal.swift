// SPDX-License-Identifier: Apache-2.0

import Linux
import PodNetwork

extension PodNetwork {
    /// Attaches without a journal: the test keeps the requests.
    func attach(_ requests: [AttachRequest], to namespace: NetworkNamespace) throws(PodNetworkError) -> [AttachedInterface] {
        try attach(requests, to: namespace, record: {})
    }
}
