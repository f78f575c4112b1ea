/*
 * Selection as in Floyd and Rivest, "Algorithm 489: The Algorithm SELECT", Communications of the ACM 18(3), 1975.
 */
#ifndef TRIP99_BENCHES_FLOYD_RIVEST_HPP
#define TRIP99_BENCHES_FLOYD_RIVEST_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

/* Moves the values of left ..= right about, so that at k is what would be there if they were sorted. */
template <typename T>
void floyd_rivest(T *values, std::ptrdiff_t left, std::ptrdiff_t right, const std::ptrdiff_t k) {
    while (left < right) {
        if (right - left > 600) {
            /* Selects in a sample first: k then lies between two values that are close to it. */
            const double n = static_cast<double>(right - left + 1), i = static_cast<double>(k - left + 1);
            const double z = std::log(n), s = 0.5 * std::exp(2 * z / 3);
            const double sd = 0.5 * std::sqrt(z * s * (n - s) / n) * (i < n / 2 ? -1 : 1);
            const double at = static_cast<double>(k);
            floyd_rivest(values, std::max(left, static_cast<std::ptrdiff_t>(at - i * s / n + sd)),
                         std::min(right, static_cast<std::ptrdiff_t>(at + (n - i) * s / n + sd)), k);
        }
        const T pivot = values[k];
        std::ptrdiff_t i = left, j = right;
        std::swap(values[left], values[k]);
        if (values[right] > pivot) {
            std::swap(values[left], values[right]);
        }
        while (i < j) {
            std::swap(values[i++], values[j--]);
            while (values[i] < pivot) {
                i++;
            }
            while (values[j] > pivot) {
                j--;
            }
        }
        if (values[left] == pivot) {
            std::swap(values[left], values[j]);
        } else {
            std::swap(values[++j], values[right]);
        }
        if (j <= k) {
            left = j + 1;
        }
        if (k <= j) {
            right = j - 1;
        }
    }
}

#endif
